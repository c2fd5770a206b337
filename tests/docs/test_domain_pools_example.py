"""The example of the guide's section on pools of domains, run as it stands there, on two daemons with different pools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.test_limits_example import PATIENCE_S, example
from tests.support.daemon import Daemon, until

HEADING = "### The pool of a domain\n"
DESK = "[pools.equities]\nprocesses = 1\n"


@pytest.mark.slow
def test_the_workflow_of_a_domain_waits_for_the_hosts_of_its_desk_and_runs_there(
    database_url: str, tmp_path: Path
) -> None:
    config = example("toml", HEADING)
    files = {
        "plugins": {"equities.py": example("python", HEADING)},
        "workflows": {"equity_closes.yaml": example("yaml", HEADING)},
    }
    desk = Daemon(database_url, tmp_path / "desk", daemon={"name": "desk"}, config=config + DESK, **files)
    with (
        Daemon(database_url, tmp_path / "a", daemon={"name": "a"}, config=config, **files) as other,
        connect(database_url) as client,
    ):
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        run = client.submit("equity_closes")
        until(run.tasks, PATIENCE_S, what="it has begun")
        assert run.info().wait_reason == "no live daemon has pool equities"
        environment = os.environ | {
            "QFLOWD_DATABASE_URL": database_url,
            "QFLOWD_CONFIG": str(other.folder / "qflowd.toml"),
        }
        command = [sys.executable, "-m", *example("sh", HEADING).split()]
        printed = subprocess.check_output(command, env=environment, text=True).rstrip()
        assert [line.split() for line in printed.splitlines()] == [
            line.split() for line in example("text", HEADING).splitlines()
        ]
        with desk:
            assert run.wait(PATIENCE_S) == "SUCCESS"
        assert [(task.task, task.pool) for task in run.tasks()] == [("closes", "equities"), ("report", "default")]
        assert run.output("report") == "000001 10.5, 600519 10.5"
