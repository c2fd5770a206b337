"""A daemon looks for the files that its configuration lets it look for."""

from __future__ import annotations

from pathlib import Path

from qflowd import Engine, TaskBuilder, WorkflowBuilder
from tests.support.daemon import until

PATIENCE_S = 60


def test_a_file_that_is_delivered_starts_the_job_that_waits_for_it(sqlite_url: str, tmp_path: Path) -> None:
    box = tmp_path / "in"
    config = tmp_path / "qflowd.toml"
    config.write_text(f'waits.folders = ["in"]\ndaemon.run_dir = "{tmp_path}"\n')
    seen: list[str] = []
    engine = Engine(sqlite_url, config=config, pools={"default": 1, "inline": 1}, plugins=(), workflows=())
    task = TaskBuilder("load", "load").with_wait_for(file=f"{box}/bars_*.csv", stable="1s", ok=".ok")
    engine.with_job(lambda: seen.extend(map(str, box.iterdir())), name="load")
    with engine.with_workflow(WorkflowBuilder("bars").with_task(task)):
        run = engine.client.submit("bars")
        until(lambda: str(engine.client.why(run.id, "load")).endswith(f"folder {box} does not exist"), PATIENCE_S)
        box.mkdir()
        for name in ("bars_1.csv", "bars_1.csv.ok"):
            (box / name).write_text("x")
        assert run.wait(PATIENCE_S) == "SUCCESS"
    assert len(seen) == 2
