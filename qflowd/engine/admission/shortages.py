"""Shortages: what needs more of a limit than there is would wait for ever, so it is not admitted."""

from collections.abc import Mapping

from qflowd.engine.limits.limit_settings import Size, sizes
from qflowd.engine.plans.expand import Admission
from qflowd.engine.refusal import Refused
from qflowd.model.limits import of_lane
from qflowd.model.rates import parse_rates
from qflowd.store.tx import Tx


def check_limits(tx: Tx, admission: Admission) -> None:
    """Raises: Refused, if a task needs more slots of a limit than there are: it would wait for ever."""
    if needed := needed_of(admission):
        refuse_shortage(needed, sizes(tx, needed))


def needed_of(admission: Admission) -> dict[str, int]:
    """Limit -> the most slots that a task takes of it, as far as limits have their names already."""
    needed: dict[str, int] = {}
    for lane in admission.lanes:
        for name, slots in of_lane(lane.limits):
            needed[name] = max(slots, needed.get(name, 1))
    return needed


def refuse_shortage(needed: Mapping[str, int], there: Mapping[str, Size]) -> None:
    """Raises: Refused, if a task needs more than there is."""
    for name, (capacity, rates, source, _) in there.items():
        if needed[name] > capacity:
            hint = ", as nobody has set it; give it more under [limits]" if source == "default" else ""
            raise Refused(f"a task needs {needed[name]} slots of limit {name}, which has {capacity}{hint}")
        for text, rate in parse_rates(rates).items():
            if needed[name] > rate.most:
                raise Refused(f"a task takes {needed[name]} at once of limit {name}, whose rate is {text}")
