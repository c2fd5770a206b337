"""Which events end the tasks of a worker that is lost."""

import os

from qflowd.workers.events import BreakReason, Broken, Event, Returned
from qflowd.workers.handle import Handle
from qflowd.workers.orders import Exited
from qflowd.workers.page import Mark


def lost_tasks(worker: Handle, report: Exited, *, is_external: bool) -> list[Event]:
    """One last event for each open task; call it once all results have been read.

    Marks say what was running. To blame is the one that was to stop, or the only one that ran; when several ran
    and none was to stop, nobody can tell, so each runs alone next time. `is_external`: the process was killed for
    reasons that are not the tasks'.
    """
    marks = {mark.task_id: mark for mark in worker.page.marks() if mark.task_id in worker.open}
    stopped = [task_id for task_id in marks if (stop := worker.stops.get(task_id)) and stop.mark is not None]
    if is_external or report.is_fenced or report.status == -1:
        blamed = []
    elif stopped:
        blamed = stopped
    else:
        blamed = list(marks) if len(marks) == 1 else []
    events: list[Event] = []
    for task_id, task in worker.open.items():
        if task_id in blamed:
            events.append(_broken(worker, report, marks[task_id]))
        else:
            mark = marks.get(task_id)
            events.append(Returned(task_id, task.fence, mark is not None, mark.started_us if mark else 0))
    worker.open.clear()
    worker.flights.clear()
    return events


def _broken(worker: Handle, report: Exited, mark: Mark) -> Broken:
    is_signal = os.WIFSIGNALED(report.status)
    sample = worker.samples.get(mark.task_id)
    return Broken(
        mark.task_id,
        mark.fence,
        _reason(worker, report, mark),
        exit_signal=os.WTERMSIG(report.status) if is_signal else None,
        exit_code=None if is_signal else os.waitstatus_to_exitcode(report.status),
        started_us=mark.started_us,
        cpu_s=max(0.0, round(report.cpu_s - sample.cpu_s, 6)) if sample else None,
        peak_memory=report.peak_memory or None,
        memory=stop.memory if (stop := worker.stops.get(mark.task_id)) else "",
    )


def _reason(worker: Handle, report: Exited, mark: Mark) -> BreakReason:
    stop = worker.stops.get(mark.task_id)
    if stop is not None and stop.mark is not None:
        return stop.reason
    flight = worker.flight_of(mark.task_id)
    is_killed = os.WIFSIGNALED(report.status) and os.WTERMSIG(report.status) == 9
    # Nobody of us killed it: with a limit in force that was the kernel, for want of memory.
    return "memory" if is_killed and flight is not None and flight.chunk.memory else "crash"
