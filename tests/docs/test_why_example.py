"""The example of the guide's section on reasons, run as it stands there: a pool that no daemon has, until one has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.test_limits_example import PATIENCE_S, example
from tests.support.daemon import Daemon, until

HEADING = "## Why it waits\n"


@pytest.mark.slow
def test_the_instance_of_the_guide_says_why_it_waits_until_a_daemon_has_the_pool(
    database_url: str, tmp_path: Path
) -> None:
    files = {
        "plugins": {"closes.py": example("python", HEADING)},
        "workflows": {"close_report.yaml": example("yaml", HEADING)},
    }
    with Daemon(database_url, tmp_path / "a", **files), connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        submit, *commands = example("sh", HEADING).splitlines()
        run = client.submit(submit.split()[-1])
        until(run.tasks, PATIENCE_S, what="it has begun")
        environment = os.environ | {"QFLOWD_DATABASE_URL": database_url}
        printed = [
            subprocess.check_output([sys.executable, "-m", *command.split()], env=environment, text=True).rstrip()
            for command in commands
        ]
        assert [str(run.id), *printed] == example("text", HEADING).splitlines()
        with Daemon(
            database_url, tmp_path / "b", daemon={"name": "b"}, config="[pools.vendor]\nprocesses = 1\n", **files
        ):
            assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output("report") == "AAPL 10.5, IBM 10.5"
        assert str(client.why(run.id, "report")) == f"task report of instance {run.id} has ended: SUCCESS"
