"""The public views over thousands of instances: each row is joined to its own instance, not compared with all."""

import json
import re

from qflowd.model.ids import ORDINALS
from tests.store.plans import NUMBERS
from tests.support.lab import Lab

MANY = 3000
LATEST = "SELECT * FROM qflow.tasks ORDER BY id DESC LIMIT 5"
READY = "SELECT COUNT(*) FROM qflow.tasks WHERE state = 'READY'"


def test_a_question_about_thousands_of_instances_does_not_compare_every_task_with_every_instance(lab: Lab):
    number = lab.start(job="work")
    _repeat(lab, "workflow_instance", number, 1)
    _repeat(lab, "task_instance", number * ORDINALS, ORDINALS)
    for view in ("tasks", "instances"):
        assert lab.sql(f"SELECT COUNT(*) FROM qflow.{view}") == [(MANY + 1,)]
    latest = [number * ORDINALS for number in range(number + MANY, number + MANY - 5, -1)]
    assert [row[0] for row in lab.sql(LATEST)] == latest
    if lab.store.dialect.name == "postgres":
        for asked in (LATEST, READY):
            [(plan,)] = lab.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}")
            compared = re.findall(r'"Rows Removed by Join Filter": (\d+)', json.dumps(plan))
            assert sum(map(int, compared)) < 10 * MANY


def _repeat(lab: Lab, table: str, number: int, step: int) -> None:
    """Copies of one row, with ids `step` apart; as fresh as in a burst, so the database has no statistics of them."""
    if lab.store.dialect.name == "sqlite":
        columns = [name for _, name, *_ in lab.sql(f"PRAGMA qflow.table_info({table})")]
    else:
        where = f"table_schema = 'qflow' AND table_name = '{table}'"
        columns = [name for (name,) in lab.sql(f"SELECT column_name FROM information_schema.columns WHERE {where}")]
    counter = "seq" if lab.store.dialect.name == "mysql" else "n"
    values = [
        f"CAST({counter} AS {_WIDE[lab.store.dialect.name]}) * {step}" if c == "id" else f"w.{c}" for c in columns
    ]
    numbers = NUMBERS[lab.store.dialect.name].format(first=number // step + 1, last=number // step + MANY)
    lab.store.connection().script(
        f"INSERT INTO qflow.{table} ({', '.join(columns)}) "
        f"SELECT {', '.join(values)} FROM qflow.{table} w CROSS JOIN {numbers} WHERE w.id = {number}"
    )


_WIDE = {"sqlite": "INTEGER", "postgres": "BIGINT", "mysql": "SIGNED"}
