"""Endurance: a million tasks in one go. Does the last tenth run as fast as the first, in no more memory?"""

from argparse import Namespace

from bench.builds import Build
from bench.rig import MakeRig, Rig, resident_mb
from bench.throughput import noop_task

TENTH = 100_000
SIZE = 5_000  # tasks of an instance
ABOUT = f"{10 * TENTH:,} independent no-op tasks: tasks a second in the first and in the last {TENTH:,}"
LONGEST_S = 900.0


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.workflow("flat", {f"t{i}": noop_task() for i in range(SIZE)})
    rig.admit_then_begin("flat", 10 * TENTH // SIZE, LONGEST_S)
    rig.wait_for(lambda: rig.closed() >= TENTH // SIZE, "the first tenth", LONGEST_S)
    small_mb = resident_mb(rig.pid)
    rig.wait_for(lambda: rig.closed() == 10 * TENTH // SIZE, "the last task", LONGEST_S)
    large_mb = resident_mb(rig.pid)
    rig.count_successes(10 * TENTH)
    first, last = (TENTH / _seconds(rig, offset) for offset in (0, 9 * TENTH))
    return {
        "first, tasks/s": first,
        "last, tasks/s": last,
        "last / first": last / first,
        "daemon after a tenth, MB": small_mb,
        "daemon after all, MB": large_mb,
        "daemon, after all / after a tenth": large_mb / small_mb,
    }


def _seconds(rig: Rig, offset: int) -> float:
    """From the acceptance of the task that ended as number `offset` to that of the last of the tenth behind it."""
    [(seconds,)] = rig.ask(_SPAN[rig.dialect].format(offset=offset, last=offset + TENTH - 1))
    return float(seconds)


_AT = "(SELECT finished_at FROM qflow.task_instance ORDER BY finished_at LIMIT 1 OFFSET {})"
_FIRST, _LAST = _AT.format("{offset}"), _AT.format("{last}")
_SPAN = {
    "sqlite": f"SELECT ({_LAST} - {_FIRST}) / 1e6",
    "postgres": f"SELECT EXTRACT(EPOCH FROM {_LAST} - {_FIRST})",
    "mysql": f"SELECT TIMESTAMPDIFF(MICROSECOND, {_FIRST}, {_LAST}) / 1e6",
}
