"""How long most things took: quantiles of a few measured values."""

from collections.abc import Iterable
from math import ceil


def quantile(values: Iterable[float | None], share: float) -> float | None:
    """The smallest value that at least so large a share of them does not exceed (nearest rank); None without values.

    `share`: from 0.0 to 1.0. It is always one of the values, those that are None left out: nothing is interpolated.
    """
    known = sorted(value for value in values if value is not None)
    return known[max(0, ceil(share * len(known)) - 1)] if known else None
