"""Schedules: many that are due at one second, from that second until the last of them is submitted."""

import time
from argparse import Namespace
from datetime import UTC, datetime, timedelta

from bench.builds import Build
from bench.rig import NOOP, MakeRig, Rig, cpu_s
from bench.throughput import noop_task

SCHEDULES = 1_000
ABOUT = f"{SCHEDULES:,} schedules that are due at one second, one daemon, which admits and runs as well"
AHEAD_S = 15  # a daemon looks for schedules that others have written every ten seconds
LOOK_S = 0.005


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("noop.py", NOOP)
    for number in range(SCHEDULES):
        rig.workflow(f"w{number}", {"a": noop_task()}, schedule="0 0 1 1 *")
    rig.start()
    count = "SELECT COUNT(*) FROM qflow.schedule"
    rig.wait_for(lambda: rig.ask(count)[0][0] == SCHEDULES, "the schedules")
    due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=AHEAD_S)
    _move(rig, due_at)
    time.sleep((due_at - datetime.now(UTC)).total_seconds())
    cpu = cpu_s(rig.pid)
    fired = "SELECT COUNT(*) FROM qflow.submissions WHERE trigger_type = 'cron'"
    while rig.ask(fired)[0][0] < SCHEDULES:
        if datetime.now(UTC) - due_at > timedelta(minutes=2):
            raise SystemExit(f"{rig.ask(fired)[0][0]} of {SCHEDULES} schedules have fired")
        time.sleep(LOOK_S)
    seconds, cpu = (datetime.now(UTC) - due_at).total_seconds(), cpu_s(rig.pid) - cpu
    if (rows := rig.ask("SELECT COUNT(*), COUNT(DISTINCT instance_id) FROM qflow.schedule_fire")) != [(SCHEDULES,) * 2]:
        raise SystemExit(f"fires and instances: {rows}, not {SCHEDULES} of each")
    return {"the last one submitted, s": seconds, "CPU of the daemon by then, s": cpu}


def _move(rig: Rig, due_at: datetime) -> None:
    """Let all of them fire at this second."""
    clock = f"{due_at:%Y-%m-%d %H:%M:%S}"
    at = {"sqlite": f"{due_at.timestamp() * 1e6:.0f}", "postgres": f"TIMESTAMPTZ '{clock}+00'", "mysql": f"'{clock}'"}[
        rig.dialect
    ]
    connection = rig.store.connection()
    connection.begin()
    connection.script(f"UPDATE qflow.schedule SET cron = '{due_at:%-S %-M %-H} * * *', next_fire_at = {at}")
    connection.commit()
