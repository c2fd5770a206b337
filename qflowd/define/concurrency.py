"""`concurrency:` of a workflow: how many of its instances run at once, and what becomes of one more."""

from typing import Final, get_args

from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, one_of, text, whole
from qflowd.model.workflow import Concurrency, Json, Overlap

MOST: Final = 1000  # instances at once: those that run are looked at whenever one more is submitted
_policy: Final[Reader[Overlap]] = one_of(*get_args(Overlap))


def read_concurrency(top: Fields) -> Concurrency | None:
    """What `concurrency` says: a policy, or keys and values. None for any number of instances at once."""
    policy: Overlap
    value = top.data.get("concurrency")
    if value is None or isinstance(value, str):
        policy = top.take("concurrency", _policy, "parallel")
        return None if policy == "parallel" else Concurrency(policy)
    fields = top.section("concurrency")
    most = fields.take("max", whole(1, MOST), None)
    keyed = fields.take("keyed", _expression, None)
    policy = fields.take("policy", _policy, "sequential" if most is None else "parallel")
    fields.close()
    if most is not None and policy != "parallel":
        fields.fault(f"is for the policy parallel; {policy} is one at a time", "max")
    if policy != "parallel":
        return Concurrency(policy, keyed=keyed)
    if most is None and keyed is not None:
        fields.fault("parallel needs max: how many instances of one key run at once", "policy")
    return None if most is None else Concurrency(policy, most, keyed)


def _expression(value: Json) -> str:
    written = text(value)
    if "{{" not in written:
        raise ValueError(
            f"holds no expression, so all instances have one key; did you mean {{{{ params.{written} }}}}?"
        )
    return written
