"""The file of a socket: a server that ends takes its own away, not that of its successor."""

from __future__ import annotations

from pathlib import Path

from qflowd.api.http.server import file_of, listen, remove_file
from qflowd.config.bind import Bind


def test_a_server_that_ends_late_leaves_the_socket_of_its_successor(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    bind = Bind(socket=path)
    first, firsts = listen(bind), file_of(bind)
    first.close()  # it listens no more, and answers what it has
    second, seconds = listen(bind), file_of(bind)
    remove_file(bind, firsts)
    assert path.is_socket()
    second.close()
    remove_file(bind, seconds)
    assert not path.exists()
    remove_file(bind, seconds)
