"""What a server that nobody asks has in its memory, and open."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.http import ApiProcess

# Large, and for a few requests, or for other commands; each is loaded when it is needed.
SELDOM_NEEDED = {"csv", "difflib", "encodings.idna", "html.entities", "yaml", "qflowd.daemon.main", "qflowd.plugins"}
OF_OTHER_DATABASES = {"psycopg", "pymysql"}


def test_an_idle_server_has_neither_loaded_what_is_seldom_needed_nor_left_the_database_open(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(sqlite_url)
    migrate(store)
    store.close()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with ApiProcess(sqlite_url, tmp_path) as api:
        loaded = set(re.findall(r"^import time:.*\| +(\S+)$", api.log.read_text(), re.MULTILINE))
        files = {str(link.readlink()) for link in Path(f"/proc/{api.process.pid}/fd").iterdir()}
    assert "qflowd.api.http.server" in loaded
    assert not loaded & (SELDOM_NEEDED | OF_OTHER_DATABASES)
    assert not [file for file in files if file.startswith(sqlite_url.removeprefix("sqlite:///"))]
