"""Versions of workflows, read: their list, one as a file would hold it, and what differs between two."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.access.hidden import hide_file, hide_files
from qflowd.api.answers import ApiAnswer, Item, Problem
from qflowd.api.call import Call
from qflowd.api.drawing.versions import graphs_of
from qflowd.api.named import version_of, workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.define import differences as changes
from qflowd.define import documents
from qflowd.define.document_text import write_text
from qflowd.define.documents import Format
from qflowd.define.writing import dump
from qflowd.engine.definitions.draft_store import faults_of
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.roles import Role
from qflowd.model.states import VersionState

LONGEST_DIFF: Final = 5000  # lines of text


class VersionItem(Item):
    """A version in the list. `share`: of new instances that run it; `replaced`: the version that it took over from.

    `faults`: of a draft, which keep it from being run or activated; `base_hash`: of the version that was active when it
    was begun.
    """

    version: int
    state: str
    hash: str
    source: str | None
    file: str | None
    created_at: datetime
    activated_at: datetime | None
    activated_by: str | None
    replaced: int | None
    note: str | None
    share: float
    created_by: str | None
    base_hash: str | None
    faults: Sequence[Problem]


class VersionDetail(VersionItem):
    """A version with what it says. `document`: as a file would hold it, without what is a default; of a draft as it is written.

    `text` is in `format`: as it was written if it was written in that, comments included, and made of the document otherwise.
    """

    workflow: str
    document: dict[str, Any]
    format: str
    text: str
    as_written: bool


class VersionChange(Item):
    """One difference, as `qflowd versions diff` has it. `key` is empty where a whole task is new, gone or renamed."""

    change: str
    task: str | None
    key: str
    before: Any
    after: Any


class VersionDiff(Item):
    """What changes from version `before` to version `after`, task by task, and as lines of YAML (a unified diff)."""

    before: int
    after: int
    changes: Sequence[VersionChange]
    text: str


class VersionQuery(Query):
    """`format`: of `text`; that in which it was written if it is left out."""

    format: Format | None = None


class DiffQuery(Query):
    """`to`: a version as in the path."""

    to: str = "active"


@route("GET", "/workflows/{id}/versions", Role.READ)
def list_versions(call: Call, id: str) -> list[VersionItem]:
    """The versions of a workflow, newest first."""
    rows = call.read("list_versions", workflow=workflow_of(call, id).workflow)
    return [VersionItem(**fields_of(row, VersionItem) | _faults(row)) for row in hide_files(call, rows)]


@route("GET", "/workflows/{id}/versions/{version}", Role.READ, errors=(42202,))
def show_workflow_version(call: Call, id: str, version: str, query: VersionQuery) -> ApiAnswer | VersionDetail:
    """One version: `{version}` is a number, `active` or `draft`. Its ETag is what a change names in If-Match."""
    workflow = workflow_of(call, id)
    found = version_of(call, workflow, version)
    row = call.one("show_version_source", workflow=workflow.workflow, version=found.version)
    if row.state == VersionState.DRAFT.name:
        document = documents.read(row.source_text, row.format, "", InvalidWorkflow).data
    else:
        document = dump(graphs_of(call, [(found.id, found.hash)])[found.id].workflow)
    written = row.format if row.source_text is not None and row.format in Format.__args__ else None  # type: ignore[attr-defined]
    format = query.format or written or "yaml"
    text = row.source_text if format == written else write_text(document, format)
    about = {"document": document, "format": format, "text": text, "as_written": format == written}
    return ApiAnswer(
        VersionDetail(**fields_of(hide_file(call, row), VersionDetail) | about | _faults(row)), etag=found.hash
    )


@route("GET", "/workflows/{id}/versions/{version}/diff", Role.READ, errors=(42202,))
def show_diff(call: Call, id: str, version: str, query: DiffQuery) -> VersionDiff:
    """What changes from a version to the one that `to` names. A draft with faults is refused with these."""
    from difflib import unified_diff

    workflow = workflow_of(call, id)
    before, after = (version_of(call, workflow, each) for each in (version, query.to))
    for each in (before, after):
        row = call.one("show_version_source", workflow=workflow.workflow, version=each.version)
        if row is not None and (faults := faults_of(row)):
            raise InvalidWorkflow(faults)
    graphs = graphs_of(call, [(before.id, before.hash), (after.id, after.hash)])
    old, new = graphs[before.id].workflow, graphs[after.id].workflow
    found = [
        VersionChange(change=each.change, task=each.task, key=each.key, before=each.before, after=each.after)
        for each in changes.differences(old, new)
    ]
    was, now = (write_text(dump(each), "yaml").splitlines() for each in (old, new))
    lines = unified_diff(was, now, f"version {before.version}", f"version {after.version}", lineterm="")
    text = "\n".join(line for line, _ in zip(lines, range(LONGEST_DIFF), strict=False))
    return VersionDiff(before=before.version, after=after.version, changes=found, text=text)


def _faults(row: Any) -> dict[str, Any]:
    return {"faults": [Problem(**fault) for fault in json.loads(row.faults or "[]")]}
