"""Random secrets and their hashes: 256 random bits need no slow hash."""

import hashlib
import hmac
import secrets
import string
from base64 import b32encode
from typing import Final

BASE62: Final = string.digits + string.ascii_letters
SECRET_LENGTH: Final = 43  # of 62 characters: 256 bits


def new_secret() -> str:
    """256 random bits in letters and digits."""
    return "".join(secrets.choice(BASE62) for _ in range(SECRET_LENGTH))


def new_id() -> str:
    """An id that is not secret: ten characters of base32 in lower case."""
    return b32encode(secrets.token_bytes(7)).decode().lower()[:10]


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret_of(secret: str, stored: str) -> bool:
    """Whether `stored` is the digest of `secret`, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(digest(secret), stored)


def csrf_of(session_secret: str) -> str:
    """What a page has to repeat to prove that it can read answers, not only send requests."""
    return hmac.new(session_secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_csrf_of(session_secret: str, text: str) -> bool:
    """Whether `text` is that, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(csrf_of(session_secret).encode(), text.encode("utf-8", "replace"))
