"""What an instance that has succeeded gives to others: its declared `outputs`."""

from typing import Final

from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.scope import load_outputs, scope_of
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.ids import ORDINALS
from qflowd.store.tx import Tx
from qflowd.workers.wire import LARGEST_OUTPUT

ANY_ROUND: Final = -1  # outputs are asked of the database, not of what is remembered


def declared_outputs(tx: Tx, instances: Instances, instance_id: int) -> str | None:
    """JSON; None where its workflow declares none. `instances` has loaded it.

    Raises: ExpressionFailed, Unreadable; ValueError if the value is not JSON.
    """
    instance = instances[instance_id]
    template = instance.plan.outputs
    if template is None:
        return None
    first = instance_id * ORDINALS
    wanted = {first + instance.plan.by_key[key].ordinal for key in template.tasks}
    outputs = load_outputs(tx, instances, [(number, ANY_ROUND) for number in sorted(wanted)], wanted)
    text = jsontext.dump(template.render(scope_of(instance, outputs)))
    if len(text.encode()) > LARGEST_OUTPUT:
        raise ExpressionFailed(f"they have {len(text.encode()):,} bytes; at most {LARGEST_OUTPUT:,} are allowed")
    return text
