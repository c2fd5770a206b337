"""From claimed rows to groups: what runs under the same terms travels together."""

import json

from qflowd.engine.claim import Claim
from qflowd.engine.dispatch import WORTH_A_THREAD, Dispatch
from qflowd.engine.render import gather, render


def overrides(**fields):
    return json.dumps({"tasks": {"work": fields}})


def only_lane(lab):
    [number] = {head for (head,) in lab.sql("SELECT DISTINCT lane FROM qflow.task_instance")}
    return lab.lane(number)


def groups_of(lab, rows):
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    gathered = lab.store.read(lambda tx: gather(tx, lab.instances, only_lane(lab), rows))
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
    assert sorted(group.terms.settings.retries for group in groups_of(lab, lab.claim())) == [1, 2]


def test_a_large_claim_is_rendered_aside_and_comes_out_as_a_small_one(lab):
    numbers = [lab.start(job="work", params=f'{{"size": {size}}}') for size in range(WORTH_A_THREAD)]
    rows = lab.claim()
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    dispatch, lane = Dispatch(None, lab.instances, None, None, ""), only_lane(lab)
    large = lab.store.read(lambda tx: dispatch.prepare(tx, Claim(lane, rows, 2)))
    small = [lab.store.read(lambda tx, row=row: dispatch.prepare(tx, Claim(lane, [row], 2))) for row in rows]
    ([group], failed), alone = large.rendered(), [shipment.rendered() for shipment in small]
    assert not failed
    assert group.rows == rows
    assert group.assignments == [task for [one], _ in alone for task in one.assignments]
    assert [task.instance_id for task in group.assignments] == numbers
