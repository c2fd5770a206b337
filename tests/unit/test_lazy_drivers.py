"""A daemon imports the driver of its own database, and those of others when it is to ask one."""

from __future__ import annotations

import subprocess
import sys

DRIVERS = ("apsw", "psycopg", "pymysql")


def test_the_modules_of_a_daemon_import_no_driver() -> None:
    program = f"import sys, qflowd.daemon.daemon; print([name for name in {DRIVERS} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
