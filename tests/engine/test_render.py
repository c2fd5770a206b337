"""From claimed rows to groups: what runs under the same terms travels together."""

import json

from qflowd.engine.render import render


def overrides(**fields):
    return json.dumps({"tasks": {"work": fields}})


def groups_of(lab, rows):
    [lane] = {head for (head,) in lab.sql("SELECT DISTINCT lane FROM qflow.task_instance")}
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    groups, failed = lab.store.read(lambda tx: render(tx, lab.instances, lab.lane(lane), rows, None))
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
