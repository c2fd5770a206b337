"""From a worker's messages to events. The plain case goes through C in bulk: hundreds of results at a time."""

from collections import deque

import msgspec

from qflowd.workers import linux, wire
from qflowd.workers.events import Broken, Event, Returned, StopReason
from qflowd.workers.handle import Handle, Sample, Stop, task_id_of
from qflowd.workers.wire import Asked, Assignment, Checkpointed, Done, Ended, Message, Progressed

Results = list[Done | Ended]
_ALL_DONE = {Done}
_WORTH_MEASURING_US = 500_000


def sort_messages(worker: Handle, messages: list[Message], results: Results, events: list[Event]) -> None:
    """Results go to `results`, everything else to `events`; what is not open any more is dropped."""
    if not worker.stops and not worker.samples and _ALL_DONE.issuperset(map(type, messages)):
        ids = set(map(task_id_of, messages))
        if len(ids) == len(messages) and worker.open.keys() >= ids:
            deque(map(worker.open.pop, ids), 0)  # the fastest way to drop hundreds
            results += messages  # type: ignore[arg-type]
            return
    for message in messages:
        _sort(worker, message, results, events)


def _sort(worker: Handle, message: Message, results: Results, events: list[Event]) -> None:
    if isinstance(message, wire.Given):
        events += [Returned(task.task_id, task.fence, False) for task in _given(worker, message)]
        return
    task = worker.open.get(message.task_id)
    if task is None or task.fence != message.fence:
        return
    if isinstance(message, Progressed | Checkpointed | Asked):
        events.append(message)
    else:
        del worker.open[task.task_id]
        sample = worker.samples.pop(task.task_id, None)
        stop = worker.stops.pop(task.task_id, None)
        if stop is not None and stop.mark is not None and worker.slots == 1:
            worker.is_leaving = True  # after a stop the process ends itself
        was_stopped = stop is not None and stop.mark is not None and _is_by_stop(stop, message)
        if was_stopped or (isinstance(message, Ended) and message.outcome == "stopped"):
            events.append(_stopped(_as_ended(message), stop.reason if stop else "terminated"))
        else:
            results.append(message if sample is None else _measured(worker, sample, message))


def _given(worker: Handle, message: wire.Given) -> list[Assignment]:
    """What was taken back before, and perhaps sent again since, is another Assignment and stays."""
    flight = next((flight for flight in worker.flights if flight.seq == message.seq), None)
    if flight is None:
        return []
    ids = set(message.task_ids)
    tasks = [task for task in flight.chunk.tasks if task.task_id in ids]
    return worker.take_back([task.task_id for task in tasks if worker.open.get(task.task_id) is task])


def _measured(worker: Handle, sample: Sample, message: Done | Ended) -> Done | Ended:
    """It took longer than expected, so its worker has not measured it: about what it took, as seen from here."""
    if message.ended_us - message.started_us < _WORTH_MEASURING_US or worker.slots > 1 or not worker.pid:
        return message
    if isinstance(message, Ended) and message.cpu_s is not None:
        return message
    cpu_s = max(0.0, round(linux.cpu_s(worker.pid) - sample.cpu_s, 2))
    return msgspec.structs.replace(_as_ended(message), cpu_s=cpu_s)


def _as_ended(message: Done | Ended) -> Ended:
    if isinstance(message, Ended):
        return message
    done = message
    return Ended(
        done.task_id, done.fence, "success", done.output, started_us=done.started_us, ended_us=done.ended_us
    )  # fmt: skip


def _is_by_stop(stop: Stop, message: Done | Ended) -> bool:
    """An error after the order is the stop's doing, and after a timeout whatever a job makes of it; what was faster stays."""
    is_bad = isinstance(message, Ended) and message.outcome in ("stopped", "error")
    return is_bad or (stop.reason == "timeout" and message.ended_us > stop.asked_us)


def _stopped(ended: Ended, reason: StopReason) -> Broken:
    return Broken(
        ended.task_id, ended.fence, reason, started_us=ended.started_us, cpu_s=ended.cpu_s,
        peak_memory=ended.peak_memory, traceback=ended.traceback,
    )  # fmt: skip
