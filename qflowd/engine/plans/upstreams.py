"""What tasks are given of their parents' outputs: small ones at once, what hundreds share once; large ones when asked."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items_above import row_above
from qflowd.engine.plans.plan import Plan
from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import SUCCESS
from qflowd.store.tx import Store, Tx
from qflowd.workers.events import Asked
from qflowd.workers.wire import LARGEST_OUTPUT

PAGE = 200  # items whose outputs are read at once; those on the row have up to 64 KB each
LARGEST_PAGE = 4 << 20  # characters; a single output may be larger
LARGEST_SENT = 4096  # characters of the parents' outputs together; more are sent when a task asks for them


class UnreadableOutput(QflowdError):
    """An output that cannot be given to a task."""


class Large(NamedTuple):
    """An output that was not read. With another fence or round it is another output: who waits anew keeps its fence."""

    id: int
    fence: int
    round: int


Output = str | Large | None  # JSON text; None: there is none
Upstream = (
    str | dict[str, int | list[int]]
)  # as in a chunk: an object as JSON text, or the number of each output by task key


class Upstreams(dict[int, Upstream]):
    """The outputs of parents by number. Hundreds of siblings have one."""

    def __init__(self, outputs: Mapping[int, Output]) -> None:
        self._outputs = outputs
        self._numbers: dict[object, int] = {}
        self._before: tuple[LoadedInstance, tuple[int, ...], int] | None = None

    def of(self, instance: LoadedInstance, parents: tuple[int, ...], above: Mapping[int, int]) -> int:
        """The number of what a task with these parents is given. `above`: of these nodes, the row of one item is meant."""
        if above:
            self[len(self)] = self._join(instance, parents, above)
            return len(self) - 1
        before = self._before
        if before is not None and before[1] is parents and before[0] is instance:
            return before[2]
        first = instance.id * ORDINALS
        family = first + parents[0] if len(parents) == 1 else (first, parents)
        number = self._numbers.get(family)
        if number is None:
            number = self._numbers[family] = len(self)
            self[number] = self._join(instance, parents, above)
        self._before = instance, parents, number
        return number

    def _join(self, instance: LoadedInstance, parents: tuple[int, ...], above: Mapping[int, int]) -> Upstream:
        first, plan = instance.id * ORDINALS, instance.plan
        if not plan.maps.isdisjoint(set(parents).difference(above) if above else parents):
            return {
                plan.tasks[i].key: self._number(above.get(i, first + i), is_map=i in plan.maps - above.keys())
                for i in parents
            }
        if len(parents) == 1:  # in chains, for every task
            output = self._outputs.get(above.get(parents[0], first + parents[0])) or "null"
            if isinstance(output, str) and len(output) <= LARGEST_SENT:
                return f"{{{plan.json_keys[parents[0]]}:{output}}}"
        outputs = [self._outputs.get(above.get(parent, first + parent)) or "null" for parent in parents]
        size = sum([len(output) if isinstance(output, str) else LARGEST_SENT + 1 for output in outputs])
        if size <= LARGEST_SENT:
            return (
                "{" + ",".join([f"{plan.json_keys[i]}:{text}" for i, text in zip(parents, outputs, strict=True)]) + "}"
            )
        # Equal outputs have equal numbers, so that a worker asks for each once.
        return {plan.tasks[i].key: hash(output) for i, output in zip(parents, outputs, strict=True)}

    def _number(self, task_id: int, *, is_map: bool) -> int | list[int]:
        output = self._outputs.get(task_id)
        return [hash(output)] if is_map and output is not None else hash(output or "null")


def read_output(store: Store, instances: Instances, asked: Asked) -> tuple[str | None, str]:
    """The output that a task has asked for as JSON text; None: the second tells why not.

    Raises: StoreUnavailable.
    """

    def read(tx: Tx) -> str:
        instances.load(tx, [asked.task_id])
        instance = instances[instance_of(asked.task_id)]
        if asked.task_id % ORDINALS >= len(instance.plan.tasks):
            for source in tx.run("load_spawned_sources", rows=[(asked.task_id,)]):
                if source.name == asked.key:
                    return _text(tx, source)
        key, is_page, start = asked.key.rstrip("]").partition("[")
        number = row_above(tx, instance, asked.task_id, instance.plan.by_key[key].ordinal)
        if is_page:
            return _load_page(tx, number, int(start))
        row = tx.one("load_outputs", rows=[(number,)])
        read = reader_of(instance.plan, row) if row.output is None else None
        output = row.output if read is None else read(tx, row)
        if isinstance(output, Large):
            raise UnreadableOutput(f"it is larger than {LARGEST_OUTPUT:,} bytes, all its items together")
        return output or "null"

    try:
        return store.read(read), ""
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the task that waits gets an answer
        return None, f"the output of task {asked.key} cannot be read: {error}"


def reader_of(plan: Plan, row: Any) -> Callable[[Tx, Any], Output] | None:
    """What reads an output that is not on its row (of `load_outputs`); None where there is none."""
    if row.large_id is not None:
        return load_large
    return _load_list if row.state == SUCCESS and row.id % ORDINALS in plan.maps else None


def load_large(tx: Tx, row: Any) -> str | None:
    """An output of more than 64 KB."""
    return "".join(part.value for part in tx.run("load_large_value", task_id=row.id)) or None


def _load_page(tx: Tx, head_id: int, start: int) -> str:
    """An `OutputPage` of the outputs of a map's items: those from `start` on, as many as may be sent at once."""
    fan_out = tx.one("load_fan_outs", rows=[(head_id,)])
    if fan_out is None:
        return '{"items":0,"outputs":[]}'
    first = head_id - head_id % ORDINALS
    after = first + fan_out.first_ordinal + start - 1
    texts: list[str] = []
    size = 0
    for row in tx.run("load_item_outputs", head_id=head_id, first=first, after=after, batch=PAGE):
        output = _text(tx, row)
        size += len(output)
        if texts and size > LARGEST_PAGE:
            break
        texts.append(output)
    return f'{{"items":{fan_out.items},"outputs":[{",".join(texts)}]}}'


def _text(tx: Tx, row: Any) -> str:
    return row.output or (load_large(tx, row) if row.large_id is not None else None) or "null"


def _load_list(tx: Tx, head: Any) -> Output:
    """The outputs of a map's items, in their order; Large if all together they are more than an output may be."""
    outputs: list[str] = []
    size = after = 0
    first = head.id - head.id % ORDINALS
    while rows := tx.run("load_item_outputs", head_id=head.id, first=first, after=after, batch=PAGE):
        page = [_text(tx, row) for row in rows]
        outputs += page
        size += sum(map(len, page)) + len(page)
        if size > LARGEST_OUTPUT:
            return Large(head.id, head.fence, head.round)
        after = rows[-1].id
    return f"[{','.join(outputs)}]"
