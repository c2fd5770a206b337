"""Passwords: optional, kept by scrypt. Each takes 32 MB and a tenth of a second, so one is worked out at a time."""

import hashlib
import hmac
import secrets
import threading
from typing import Final

from qflowd.model.errors import InvalidRequest

SHORTEST: Final = 12
LONGEST: Final = 1000  # characters
COST, BLOCK, LANES = 1 << 15, 8, 1
MEMORY: Final = 64 << 20
_one_at_a_time: Final = threading.Lock()


def stored_password(password: str) -> str:
    """What is stored of a password: the costs, a salt and the hash.

    Raises: InvalidRequest if it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidRequest(f"a password has {SHORTEST} to {LONGEST} characters; several words make a good one")
    salt = secrets.token_bytes(16)
    return f"scrypt${COST}${BLOCK}${LANES}${salt.hex()}${_scrypt(password, salt, COST, BLOCK, LANES).hex()}"


def is_password(password: str, stored: str | None) -> bool:
    """Whether this is the password of which `stored` was made. Takes as long where none was."""
    if stored is None or len(password) > LONGEST:
        _scrypt("", b"no password here", COST, BLOCK, LANES)
        return False
    _, cost, block, lanes, salt, expected = stored.split("$")
    found = _scrypt(password, bytes.fromhex(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    with _one_at_a_time:
        return hashlib.scrypt(
            password.encode("utf-8", "replace"), salt=salt, n=cost, r=block, p=lanes, maxmem=MEMORY, dklen=32
        )
