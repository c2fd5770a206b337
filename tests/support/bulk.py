"""Commands for many instances, as tests give them: by a filter or by a workflow, carried out to their end."""

from __future__ import annotations

import json

from tests.support.lab import FAILED, Lab

CHAIN = {"a": [], "b": ["a"]}
DRY = '{"dry_run": true}'


def many(lab: Lab, action: str, columns: dict | None = None, /, **conditions) -> tuple[str, object]:
    """A command with a filter, carried out to its end."""
    number = lab.ask(action, filter=json.dumps(conditions), **(columns or {}))
    return to_the_end(lab, number)


def of_workflow(lab: Lab, action: str, workflow: str = "chain", **columns) -> tuple[str, object]:
    return to_the_end(lab, lab.ask(action, workflow=workflow, **columns))


def to_the_end(lab: Lab, number: int) -> tuple[str, object]:
    while not lab.commands.tick():
        pass
    return lab.answer(number)


def failed(lab: Lab, workflow: str = "chain", count: int = 1, **columns) -> list[int]:
    numbers = [lab.start(workflow, **columns) for _ in range(count)]
    lab.run({"a": FAILED})
    return numbers


def wait_reason(lab: Lab, workflow: str = "chain") -> str | None:
    """Why a workflow stands still, as its list says."""
    rows = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    return next(row.wait_reason for row in rows if row.workflow == workflow)
