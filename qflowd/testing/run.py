"""What became of a run, as a test looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from qflowd.client.instance import Instance
from qflowd.client.records import AttemptInfo, LogLine, TaskInfo
from qflowd.model.workflow import Json


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one run. `tasks`, `outputs` (of those that succeeded) are by task key; `attempts` and `logs` in order.

    `state` is SUCCESS, FAILED or TERMINATED; `error` says why, with the traceback of each attempt that failed.
    Durations are those of the set clock, where a task takes no time.
    """

    state: str
    error: str | None = None
    tasks: Mapping[str, TaskInfo] = field(default_factory=dict, repr=False)
    outputs: Mapping[str, Json] = field(default_factory=dict, repr=False)
    attempts: tuple[AttemptInfo, ...] = field(default=(), repr=False)
    logs: tuple[LogLine, ...] = field(default=(), repr=False)

    @property
    def output(self) -> Json:
        """What the only task, or the last one in topological order, returned.

        Raises: AssertionError with what went wrong if it did not succeed.
        """
        last = [key for key, task in self.tasks.items() if task.map_index is None][-1]
        if last not in self.outputs:
            raise AssertionError(f"task {last} is {self.tasks[last].state}, so it has no output: {self.error}")
        return self.outputs[last]


def run_of(instance: Instance, state: str, error: str | None) -> Run:
    """The run of an instance that has ended."""
    tasks = {task.name: task for task in instance.tasks()}
    attempts = tuple(instance.attempts())
    traces = [
        f"task {attempt.name}, attempt {attempt.attempt}:\n{attempt.traceback}"
        for attempt in attempts
        if attempt.traceback
    ]
    return Run(
        state,
        None if state == "SUCCESS" else "\n".join([error or state, *traces]),
        tasks,
        {
            key: instance.output(key)
            for key, task in tasks.items()
            if task.state == "SUCCESS" and task.map_index is None
        },
        attempts,
        tuple(instance.logs()),
    )
