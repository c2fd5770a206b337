"""Commands on definitions that need no inbox and no daemon: carried out in the transaction of whoever asks.

The rules, the answers and the refusals are those of the commands, which are the same functions.
"""

from typing import Any

from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs

# Each of these adds its verbs to the registry.
from qflowd.engine.calendars import import_calendars, override_days  # noqa: F401
from qflowd.engine.commands.carry_out import carry_out
from qflowd.engine.commands.control import VERBS, Caches, Command, Reply
from qflowd.engine.definitions import archive, canary, drafts, schedule_commands, task_definitions, versions  # noqa: F401
from qflowd.engine.definitions.workflow_store import PoolOf
from qflowd.engine.plans.instances import Instances
from qflowd.store.tx import Store, Tx


class DefinitionVerbs:
    """The verbs on definitions, over one store. Made for one request: its caches hold nothing that is older."""

    def __init__(self, store: Store) -> None:
        plans, jobs = Plans(), RegisteredJobs()
        self._caches = Caches(plans, LaneIds(store), jobs, Instances(plans, jobs))

    def pool_of(self, tx: Tx) -> PoolOf:
        """Asks for the pool of a job, as a daemon has registered it last."""
        return drafts.pool_of_caches(tx, self._caches)

    def do(self, tx: Tx, action: str, *, tenant: str, **columns: Any) -> Reply:
        """Do what a command with these columns would; `args` is a mapping.

        Raises: Refused, with what the command would be answered.
        """
        return carry_out(tx, VERBS[action], Command(0, tenant, action, **columns), self._caches)
