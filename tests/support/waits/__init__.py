"""Every way in which a row may wait, each a function below `@way(...)` in one of these files."""

from tests.support.waits import before, facts, lanes, limits, people, spawned
from tests.support.waits.base import NEVER, WAYS, Way

__all__ = ["NEVER", "WAYS", "Way", "before", "facts", "lanes", "limits", "people", "spawned"]
