"""Lane keys: the queue in which the rows of a task stand, with the names of its limits rendered. Pure."""

from collections.abc import Iterator, Mapping

from qflowd.define.expressions import compile_value, literal_text
from qflowd.engine.caches import LaneKey
from qflowd.engine.plans.fallbacks import Fallback
from qflowd.model.errors import ExpressionFailed
from qflowd.model.limits import (
    FALLBACK,
    LONGEST_TEXT,
    OF_UNKNOWN_JOB,
    UNSETTLED,
    Limits,
    fault_in_limit,
    known_part,
    lane_text,
)
from qflowd.model.workflow import Job, Json

_ITEM_FACTS = frozenset({"item", "index"})


def asks_item(limits: Limits | None) -> bool:
    """Does a name of these limits follow from the item of a map?"""
    return any(map(_asks_item, limits or ()))


def of_task(limits: Limits | None, fallback: Fallback, *, is_map: bool) -> Limits:
    """What the own row of a task takes. Of a map: the limits whose names do not follow from its items.

    Where its items do not wait for a breaker, its own row must not either, so it takes nothing.
    """
    if not limits or fallback is Fallback.ITEMS:
        return ()
    return tuple(limit for limit in limits if not _asks_item(limit)) if is_map else limits


def of_unknown_job(key: LaneKey) -> LaneKey:
    """The lane of rows whose own lane is found out when they are claimed. `key`: what it is so far, without their job."""
    text = f"{OF_UNKNOWN_JOB} {key.limits}".rstrip()
    return key._replace(limits=text if len(text) <= LONGEST_TEXT else UNSETTLED)


def known_to(job: Job, key: LaneKey) -> LaneKey:
    """A lane as it is now that its job is known: one that waited for this is as any other if the job asks for nothing."""
    asks = job.settings.limits or job.settings.priority or job.settings.pool not in (None, key.pool)
    return key if asks else key._replace(limits=known_part(key.limits))


def rendered(limits: Limits | None, scope: Mapping[str, Json], *, has_fallback: bool = False) -> str:
    """The limits of a row as part of its lane. `has_fallback`: others run instead while the breaker of one is open.

    Raises: ExpressionFailed, where a name has no value or cannot be a limit's.
    """
    if not limits:
        return ""
    mark = f" {FALLBACK}" if has_fallback else ""
    if not (mark or any("{{" in name for name, _ in limits)):
        return lane_text(limits)
    slots: dict[str, int] = {}
    for name, weight in _names(limits, scope):
        slots[name] = max(weight, slots.get(name, 1))
    if len(text := lane_text(tuple(sorted(slots.items()))) + mark) > LONGEST_TEXT:
        raise ExpressionFailed(
            f"limits are too long: {text} has {len(text)} characters; at most {LONGEST_TEXT} are allowed"
        )
    return text


def _names(limits: Limits, scope: Mapping[str, Json]) -> Iterator[tuple[str, int]]:
    for template, weight in limits:
        if "{{" not in template:
            yield template, weight
            continue
        try:
            value = compile_value(template).render(dict(scope))
        except ExpressionFailed as error:
            raise ExpressionFailed(f"limit {template}: {error}") from None
        name = str(value) if isinstance(value, int) else value
        if name and name == literal_text(template):
            raise ExpressionFailed(f"limit {template}: the value is empty, so the limit has no name")
        if fault := fault_in_limit(name):
            raise ExpressionFailed(f"limit {template}: {fault}")
        yield name, weight


def _asks_item(limit: tuple[str, int]) -> bool:
    return "{{" in limit[0] and not _ITEM_FACTS.isdisjoint(compile_value(limit[0]).facts)
