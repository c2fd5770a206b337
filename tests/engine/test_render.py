"""From claimed rows to chunks: what runs under the same terms travels together, and what is shared travels once."""

import json

import pytest

from qflowd.engine.claiming.claim import Claim
from qflowd.engine.claiming.lanes import Pace
from qflowd.engine.plans.gather import gather
from qflowd.engine.plans.render import render
from qflowd.engine.plans.upstreams import LARGEST_SENT, read_output
from qflowd.engine.running.dispatch import WORTH_A_THREAD, Dispatch
from qflowd.engine.running.harvest import Harvest
from qflowd.model.ids import ORDINALS
from qflowd.workers import wire
from qflowd.workers.events import Asked
from qflowd.workers.wire import Chunk, Parcel


def overrides(**fields):
    return json.dumps({"tasks": {"work": fields}})


def only_lane(lab):
    [number] = {head for (head,) in lab.sql("SELECT DISTINCT lane FROM qflow.task_instance")}
    return lab.lane(number)


def groups_of(lab, rows):
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    gathered = lab.store.read(lambda tx: gather(tx, lab.instances, (only_lane(lab), rows)))
    groups, failed = render(gathered, None)
    assert not failed
    return groups


def test_rows_with_the_same_overrides_travel_together(lab):
    for size in (1, 2, 3):
        lab.start(job="work", overrides=overrides(params={"size": size}, retries=7))
    [group] = groups_of(lab, lab.claim())
    assert group.terms.settings.retries == 7
    assert sorted(task.params for task in group.assignments) == [f'{{"size":{size}}}' for size in (1, 2, 3)]


def test_rows_with_other_settings_travel_apart(lab):
    for retries in (1, 2):
        lab.start(job="work", overrides=overrides(retries=retries))
    [group] = groups_of(lab, lab.claim())  # a chunk says nothing of retries: they travel together
    assert sorted(terms.settings.retries for terms in group.row_terms) == [1, 2]


def test_a_large_claim_is_rendered_aside_and_comes_out_as_a_small_one(lab):
    numbers = [lab.start(job="work", params=f'{{"size": {size}}}') for size in range(WORTH_A_THREAD)]
    rows = lab.claim()
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    dispatch, lane = Dispatch(lab.store, None, lab.instances, None, None, ""), only_lane(lab)
    large = lab.store.read(lambda tx: dispatch.prepare(tx, Claim(lane, rows, 2)))
    small = [lab.store.read(lambda tx, row=row: dispatch.prepare(tx, Claim(lane, [row], 2))) for row in rows]
    ([group], failed), alone = large.rendered(), [shipment.rendered() for shipment in small]
    assert not failed
    assert group.rows == rows
    assert group.assignments == [task for [one], _ in alone for task in one.assignments]
    assert [task.instance_id for task in group.assignments] == numbers


# ------------------------------------------------------------------------------------------------ what is shared


class Recorder:
    """All that would travel to the workers of a pool with four free slots."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def room(self, pool: str) -> int:
        return 4

    def send(self, pool: str, chunk: Chunk) -> None:
        self.chunks.append(chunk)

    @property
    def bytes(self) -> int:
        return sum(len(wire.pack(Parcel(1, chunk))) for chunk in self.chunks)


def sent(lab, rows, *, is_short: bool = True) -> Recorder:
    """What is sent for these rows of one lane."""
    lane, recorder = only_lane(lab), Recorder()
    lane.pace = Pace(0.0001, 100) if is_short else Pace()
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    dispatch = Dispatch(lab.store, recorder, lab.instances, Harvest(lab.clock, lambda: 0.5), None, "db")
    dispatch.send(lab.store.read(lambda tx: dispatch.prepare(tx, Claim(lane, rows, 4))))
    dispatch.close()
    return recorder


def finish_all(lab, outputs: list[object]) -> None:
    """End what is ready, in the order of ids."""
    rows = sorted(lab.claim(), key=lambda row: row.id)
    lab.finish(*(lab.final(row, output=output) for row, output in zip(rows, outputs, strict=True)))


SYMBOLS = [f"SYM{number:06}" for number in range(5400)]  # 65 KB of JSON, above what stands on the row
SOME = SYMBOLS[:4000]


@pytest.mark.parametrize("symbols", [SYMBOLS, SOME, SYMBOLS[:10]], ids=["in-parts", "on-the-row", "small"])
@pytest.mark.parametrize("is_short", [True, False])
def test_the_output_of_a_parent_does_not_travel_to_each_of_hundreds_of_children(lab, symbols, is_short):
    children = {f"c{number}": ["list"] for number in range(600)}
    lab.workflow("fan", {"list": []} | children)
    number = lab.start("fan")
    finish_all(lab, [symbols])
    rows = lab.claim()
    assert len(rows) == 600
    recorder = sent(lab, rows, is_short=is_short)
    each, text = len(json.dumps({"symbol": "SYM000000"})) + 100, json.dumps(symbols)
    if len(text) > LARGEST_SENT:
        assert recorder.bytes < 0.1 * len(rows) * len(text)
    assert recorder.bytes < len(rows) * each + len(recorder.chunks) * (LARGEST_SENT + 200)
    assert sum(len(chunk.tasks) for chunk in recorder.chunks) == 600
    for task in recorder.chunks[0].tasks[:1]:
        upstream = recorder.chunks[0].upstreams[task.upstream]
        if isinstance(upstream, dict):
            assert list(upstream) == ["list"]
            text, error = read_output(lab.store, lab.instances, Asked(task.task_id, task.fence, "list", 1))
            assert (json.loads(text), error) == (symbols, "")
        else:
            assert json.loads(upstream) == {"list": symbols}
    assert rows[0].id >> 20 == number


def test_equal_outputs_have_one_number_and_others_another(lab):
    lab.workflow("three", {"a": [], "b": [], "c": [], "d": ["a", "b"], "e": ["a", "c"]})
    lab.start("three")
    finish_all(lab, [SYMBOLS, SOME, SOME])
    recorder = sent(lab, lab.claim(), is_short=False)
    numbers = {
        key: number
        for chunk in recorder.chunks
        for upstream in chunk.upstreams.values()
        for key, number in upstream.items()
    }
    assert sorted(numbers) == ["a", "b", "c"]
    assert numbers["b"] == numbers["c"] != numbers["a"]


def test_what_cannot_be_read_is_answered_with_the_reason(lab):
    lab.start(job="work")
    [row] = lab.claim()
    text, error = read_output(lab.store, lab.instances, Asked(row.id, row.fence, "nobody", 1))
    assert text is None
    assert error.startswith("the output of task nobody cannot be read")


def test_parameters_of_an_instance_travel_once_for_all_tasks_that_take_them_by_name(lab):
    tasks = {f"t{number}": [] for number in range(300)}
    lab.workflow("wide", tasks, params={"symbols": {"type": "array"}})
    for _ in range(2):
        lab.start("wide", params=json.dumps({"symbols": SYMBOLS}))
    rows = lab.claim()
    recorder = sent(lab, rows)
    text = json.dumps({"symbols": SYMBOLS}, separators=(",", ":"))
    # At the edge between two instances a chunk has both.
    assert recorder.bytes < len(rows) * 100 + (len(recorder.chunks) + 2) * (len(text) + 200)
    for chunk in recorder.chunks:
        assert {chunk.params_of(task) for task in chunk.tasks} == {text}


def test_plans_and_large_instances_are_remembered_up_to_a_weight(lab):
    lab.plans._by_version.most = lab.instances._loaded.most = 20_000
    for i in range(12):
        lab.workflow(f"w{i}", {"a": []}, description="x" * 5_000)
        number = lab.start(f"w{i}", params=f'{{"text": "{"y" * 5_000}"}}')
        lab.store.transact(lambda tx, number=number: lab.instances.load(tx, [number * ORDINALS]))
        assert lab.instances[number].params == {"text": "y" * 5_000}
    assert 1 <= len(lab.plans._by_version) < 5
    assert 1 <= len(lab.instances._loaded) < 5
