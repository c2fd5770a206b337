"""Where a server listens."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Bind:
    """An address of TCP, or a socket in the file system. Port 0: any that is free."""

    host: str = ""
    port: int = 0
    socket: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Bind":
        """Of `127.0.0.1:8080`, `[::1]:8080`, `name:8080` or `unix:/run/qflowd/api.sock`. Raises: ValueError."""
        if text.startswith("unix:"):
            path = Path(text.removeprefix("unix:"))
            if not path.is_absolute():
                raise ValueError(f"a socket needs a whole path, such as unix:/run/qflowd/api.sock, not {text!r}")
            return cls(socket=path)
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or not host:
            raise ValueError(f"must be HOST:PORT, such as 127.0.0.1:8080, or unix:/PATH, not {text!r}")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(f"an address of IPv6 stands in brackets, such as [::1]:8080, not {text!r}")
        return cls(host.strip("[]"), int(port))

    @property
    def is_local(self) -> bool:
        """Can only this host reach it?"""
        if self.socket is not None or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
