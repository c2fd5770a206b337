"""PgBouncer before a PostgreSQL of ours: transaction pooling, a few server sessions for any number of clients."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.binaries import find, pgbouncer_programs
from tests.support.servers import Unavailable, free_port, run_folder, server_user

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
"""


@contextlib.contextmanager
def pgbouncer(url: str, *, sessions: int = 5) -> Iterator[str]:
    """The URL of the same database behind a pooler with so many server sessions."""
    programs = pgbouncer_programs()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=run_folder(durable=False)))
    port = free_port()
    parts = urlsplit(url)
    (folder / "pgbouncer.ini").write_text(SETTINGS.format(server=parts.port, port=port, sessions=sessions))
    identity = {}
    if user := server_user():  # it refuses to run as root
        identity = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        shutil.chown(folder, user)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [find(programs, "pgbouncer"), "pgbouncer.ini"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": os.defpath} | programs.env,
            **identity,
        )
    (folder / "server.pid").write_text(str(process.pid))  # the keeper of servers ends it too
    pooled = f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
    try:
        _wait_until_it_answers(pooled, process, folder / "log")
        yield pooled
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    end = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return
        time.sleep(0.05)
    raise Unavailable(f"pgbouncer does not start:\n{log.read_text(errors='replace')[-2000:]}")
