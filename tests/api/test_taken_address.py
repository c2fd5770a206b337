"""An address where something listens already: whoever starts a server there is told what that is, and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd.api.http import neighbour
from qflowd.api.http.server import AddressTaken, listen
from qflowd.config.bind import Bind
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.http import ApiServer

OURS = (
    "a qflowd API listens there already (with [api] enabled, `qflowd run` starts one); use that one, or give this one"
)


def test_another_api_is_told_from_another_program(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour, "PATIENCE_S", 0.2)
    with ApiServer(sqlite_url) as api, pytest.raises(AddressTaken) as caught:
        listen(Bind("127.0.0.1", api.port))
    assert f"cannot listen on 127.0.0.1:{api.port}: {OURS}" in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(AddressTaken) as caught:
        listen(Bind(*mute.getsockname()))
    assert "another program listens there; set [api] bind to another address" in str(caught.value)


def test_an_api_beside_another_on_one_socket_says_so_and_leaves_it(sqlite_url: str, tmp_path: Path) -> None:
    store = Store(sqlite_url)
    migrate(store)
    store.close()
    bind = f"unix:{tmp_path}/api.sock"
    command = [sys.executable, "-m", "qflowd", "api", "--bind", bind]
    environment = os.environ | {"QFLOWD_DATABASE_URL": sqlite_url}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == f"{bind}\n"
        second = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert (second.returncode, f"cannot listen on {bind}: {OURS}" in second.stderr) == (1, True)
        assert neighbour.is_qflowd(Bind.parse(bind), is_tls=False)
        first.terminate()
