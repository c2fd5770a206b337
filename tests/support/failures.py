"""Tasks that fail with an error of their own, and the failures that nobody has handled."""

from __future__ import annotations

from qflowd.engine.finishing.batch import Batch
from tests.support.lab import FAILED, Lab

TIMEOUT = "requests.exceptions.Timeout: no answer from the vendor"


def fail(lab: Lab, errors: dict[str, str]) -> None:
    """All rows that are ready run; those of these tasks fail."""
    rows = lab.claim()
    bad = [row for row in rows if lab.key(row.id) in errors]
    attempts = [lab.failed_attempt(row, errors[lab.key(row.id)]) for row in bad]
    final = [lab.final(row, FAILED) if row in bad else lab.final(row) for row in rows]
    lab.finish(batch=Batch(final=final, attempts=attempts))


def failures(lab: Lab) -> list:
    return lab.store.read(lambda tx: tx.run("find_failures", tenant="default", before=1 << 62, batch=100))


def names(lab: Lab) -> list[tuple[int, str, int | None, str]]:
    return [(row.instance_id, row.task, row.map_index, row.error_class) for row in failures(lab)]
