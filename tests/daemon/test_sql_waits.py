"""A daemon asks the databases that its configuration has connections to."""

from __future__ import annotations

from pathlib import Path

import apsw

from qflowd import Engine, TaskBuilder, WorkflowBuilder
from tests.support.daemon import until

PATIENCE_S = 60


def test_a_condition_that_comes_to_hold_starts_the_job_that_waits_for_it(sqlite_url: str, tmp_path: Path) -> None:
    config = tmp_path / "qflowd.toml"
    config.write_text(f'connections.vendor.url = "sqlite:///bars.db"\ndaemon.run_dir = "{tmp_path}"\n')
    vendor = apsw.Connection(str(tmp_path / "bars.db"))
    vendor.execute("CREATE TABLE bars (trade_date TEXT)")
    seen: list[str] = []
    engine = Engine(sqlite_url, config=config, pools={"default": 1, "inline": 1}, plugins=(), workflows=())
    task = TaskBuilder("load", "load").with_wait_for(
        sql="SELECT count(*) FROM bars WHERE trade_date = :d",
        connection="vendor",
        params={"d": "{{ business_date }}"},
        every="5s",
    )
    engine.with_job(lambda: seen.append("loaded"), name="load")
    with engine.with_workflow(WorkflowBuilder("bars").with_task(task)):
        run = engine.client.submit("bars", business_date="2026-11-20")
        until(lambda: str(engine.client.why(run.id, "load")).endswith("the query gives 0"), PATIENCE_S)
        vendor.execute("INSERT INTO bars VALUES ('2026-11-20')")
        assert run.wait(PATIENCE_S) == "SUCCESS"
    assert seen == ["loaded"]
    vendor.close()
