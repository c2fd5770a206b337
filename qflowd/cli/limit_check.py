"""Limits of which an attempt takes more than there is, so that it would never begin."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qflowd.config.records import Config
from qflowd.define.key_paths import KeyFault, KeyPath
from qflowd.engine.limits.limit_settings import DERIVED, Size, size_of
from qflowd.engine.plans import lane_keys
from qflowd.model.limits import best_pattern
from qflowd.model.rates import shortfalls
from qflowd.model.workflow import Job, Settings, Workflow

UNSET: Final = Size(1, None, "default")


@dataclass(frozen=True, slots=True)
class KnownLimits:
    """How large limits and patterns are. `is_complete`: the database was asked, so any other limit has one slot."""

    sizes: Mapping[str, Size] = field(default_factory=dict)
    is_complete: bool = False

    def size(self, name: str) -> Size | None:
        """The size of a limit; None if that is not known here."""
        pattern = best_pattern(name, (each for each in self.sizes if each.endswith("*")))
        of_others = self.sizes[pattern] if pattern else UNSET if self.is_complete else None
        return self.sizes.get(name, of_others)


def known_limits(config: Config, rows: Iterable[Mapping[str, Any]] | None) -> KnownLimits:
    """What commands have set, then what the configuration here says, then what others have configured.

    Args:
        rows: of the view `limits`; None if the database could not be asked.
    """
    stored = {row["name"]: Size(row["slots"], row["rates"], row["source"]) for row in rows or ()}
    by_command = {name: size for name, size in stored.items() if size.source == "command"}
    by_others = {name: size for name, size in stored.items() if size.source not in DERIVED}
    here = {name: size_of(limit, "config") for name, limit in config.limits.items()}
    return KnownLimits(by_others | here | by_command, rows is not None)


def faults(workflow: Workflow, jobs: Mapping[str, Job], limits: KnownLimits) -> Iterator[KeyFault]:
    """Every task that takes too much at once of a limit whose name is written out."""
    for path, name, slots in _taken(workflow, jobs):
        if "{{" not in name and (size := limits.size(name)) is not None:
            for there in shortfalls(slots, size.slots, size.rates):
                yield path, f"an attempt takes {slots} of {name}, which has {there}: it would never begin"


def doubts(
    workflow: Workflow, jobs: Mapping[str, Job], limits: KnownLimits, *, is_submitted: bool = False
) -> Iterator[KeyFault]:
    """Every task that takes more than one slot of a limit whose size, or whole name, is not known here.

    Args:
        is_submitted: names are known that need only what a submission says.
    """
    for path, name, slots in _taken(workflow, jobs):
        start, is_rendered, _ = name.partition("{{")
        size = limits.size(start)
        if slots > 1 and is_rendered:
            is_of_item = lane_keys.asks_item(((name, slots),))
            usual = next(shortfalls(slots, size.slots, size.rates), "") if size else ""
            when = "for each item" if is_of_item else "when it is submitted"
            never = f"; where nobody has set it by its name it has {usual}, and the attempt would never begin"
            if is_of_item or not is_submitted:
                yield (
                    path,
                    f"an attempt takes {slots} of {name}, whose name is known only {when}{never if usual else ''}",
                )
        elif slots > 1 and size is None:
            yield path, f"an attempt takes {slots} of {name}, whose size is not known here"


def _taken(workflow: Workflow, jobs: Mapping[str, Job]) -> Iterator[tuple[KeyPath, str, int]]:
    """Where it stands, the limit as it is written, and the slots that an attempt takes."""
    for task in workflow.tasks:
        job = jobs.get(task.job)
        settings = task.settings.over(workflow.defaults).over(job.settings if job else Settings())
        for name, slots in settings.limits or ():
            yield ("tasks", task.key, "limits"), name, slots
