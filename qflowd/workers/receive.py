"""From the messages of a worker, and from what is left in its page when it is lost, to events."""

import os
import signal
from operator import attrgetter

from qflowd.workers import wire
from qflowd.workers.events import BreakReason, Broken, Event, Returned, StopReason
from qflowd.workers.handle import Handle, Stop, task_id_of
from qflowd.workers.orders import Exited
from qflowd.workers.page import Mark
from qflowd.workers.wire import Asked, Assignment, Checkpointed, Done, Ended, Message, Progressed

Results = list[Done | Ended]
_ALL_DONE = {Done}
_fence_of = attrgetter("fence")


def sort_messages(worker: Handle, messages: list[Message], results: Results, events: list[Event]) -> None:
    """Results go to `results`, everything else to `events`; what is not open any more is dropped.

    The plain case goes through C in bulk: hundreds of results at a time.
    """
    if not worker.stops and _ALL_DONE.issuperset(map(type, messages)):
        ids = set(map(task_id_of, messages))
        if len(ids) == len(messages) and worker.open.keys() >= ids:
            tasks = list(map(worker.open.pop, map(task_id_of, messages)))  # the fastest way to drop hundreds
            if list(map(_fence_of, tasks)) == list(map(_fence_of, messages)):
                results += messages  # type: ignore[arg-type]
                return
            worker.open.update(zip(map(task_id_of, tasks), tasks, strict=True))  # some are of an earlier claim
    for message in messages:
        _sort(worker, message, results, events)


def _sort(worker: Handle, message: Message, results: Results, events: list[Event]) -> None:
    if isinstance(message, wire.Unstarted):
        events += [Returned(task.task_id, task.fence, False) for task in _take_back(worker, message)]
        return
    task = worker.open.get(message.task_id)
    if task is None or task.fence != message.fence:
        return
    if isinstance(message, Progressed | Checkpointed | Asked):
        events.append(message)
    else:
        del worker.open[task.task_id]
        stop = worker.stops.pop(task.task_id, None)
        if stop is not None and stop.mark is not None and worker.slots == 1:
            worker.is_leaving = True  # after a stop the process ends itself
        was_stopped = stop is not None and stop.mark is not None and _is_by_stop(stop, message)
        if was_stopped or (isinstance(message, Ended) and message.outcome == "stopped"):
            events.append(_stopped(_as_ended(message), stop.reason if stop else "terminated"))
        else:
            results.append(message)


def _take_back(worker: Handle, message: wire.Unstarted) -> list[Assignment]:
    """What was taken back before, and perhaps sent again since, is another Assignment and stays."""
    parcel = next((parcel for parcel in worker.parcels if parcel.seq == message.seq), None)
    if parcel is None:
        return []
    ids = set(message.task_ids)
    return worker.take_back(
        [i for task in parcel.chunk.tasks if (i := task.task_id) in ids and worker.open.get(i) is task]
    )


def _as_ended(message: Done | Ended) -> Ended:
    if isinstance(message, Ended):
        return message
    return Ended(
        message.task_id,
        message.fence,
        "success",
        message.output,
        started_us=message.started_us,
        ended_us=message.ended_us,
    )


def _is_by_stop(stop: Stop, message: Done | Ended) -> bool:
    """An error after the order comes from the stop, and so does any end after a timeout; an end before it stands."""
    is_bad = isinstance(message, Ended) and message.outcome in ("stopped", "error")
    return is_bad or (stop.reason == "timeout" and message.ended_us > stop.asked_us)


def _stopped(ended: Ended, reason: StopReason) -> Broken:
    return Broken(
        ended.task_id, ended.fence, reason, started_us=ended.started_us, cpu_s=ended.cpu_s,
        peak_memory=ended.peak_memory, traceback=ended.traceback,
    )  # fmt: skip


def lost_tasks(worker: Handle, report: Exited) -> list[Event]:
    """One last event for each open task; call it once all results have been read.

    Marks say what was running. The one to blame is the task that was to stop, or the only one that ran; when several
    ran and none was to stop, it is unknown, so each runs alone next time. No task is to blame for a process that was
    killed for another reason, or that never began.
    """
    marks = {mark.task_id: mark for mark in worker.page.marks() if mark.task_id in worker.open}
    stopped = [task_id for task_id in marks if (stop := worker.stops.get(task_id)) and stop.mark is not None]
    if worker.is_killed or report.is_fenced or report.status == -1:
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
    worker.parcels.clear()
    return events


def _broken(worker: Handle, report: Exited, mark: Mark) -> Broken:
    code = os.waitstatus_to_exitcode(report.status)  # below 0: the signal
    stop = worker.stops.get(mark.task_id)
    reason: BreakReason = "crash"
    if stop is not None and stop.mark is not None:
        reason = stop.reason
    elif code == -signal.SIGKILL and (chunk := worker.chunk_of(mark.task_id)) is not None and chunk.memory:
        reason = "memory"  # not killed by the daemon: with a limit in force it was the kernel
    return Broken(
        mark.task_id,
        mark.fence,
        reason,
        exit_signal=-code if code < 0 else None,
        exit_code=code if code >= 0 else None,
        started_us=mark.started_us,
        cpu_s=max(0.0, round(report.cpu_s - worker.page.cpu_before_us(mark) / 1e6, 6)) if worker.slots == 1 else None,
        peak_memory=report.peak_memory or None,
        memory=stop.memory if stop else "",
    )
