"""Who answers where a server of ours would listen: it is asked for its health, which needs no credentials."""

import http.client
import socket
import ssl
from typing import Final

from qflowd.config.bind import Bind

PATIENCE_S: Final = 2.0
_NEAREST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared


def is_qflowd(bind: Bind, *, is_tls: bool) -> bool:
    """Whether a qflowd API answers there."""
    try:
        return health_at(bind, is_tls=is_tls) == b"ok\n"
    except (OSError, http.client.HTTPException):
        return False


def health_at(bind: Bind, *, is_tls: bool) -> bytes:
    """What a server there says about its health. Its certificate is not looked at. Raises: OSError, HTTPException."""
    connection: http.client.HTTPConnection
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    host = "localhost" if bind.socket is not None else _NEAREST.get(bind.host, bind.host)
    if is_tls:
        connection = http.client.HTTPSConnection(host, bind.port, timeout=PATIENCE_S, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, bind.port, timeout=PATIENCE_S)
    try:
        if bind.socket is not None:  # one that is there is not opened by `request`
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(PATIENCE_S)
            connection.sock.connect(str(bind.socket))
            if is_tls:
                connection.sock = unchecked.wrap_socket(connection.sock)
        connection.request("GET", "/healthz")
        return connection.getresponse().read(64)
    finally:
        connection.close()
