"""Workflows as pages list them: what each is, how its last runs went, what comes next."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from qflowd.api.access.hidden import hide_file, sees_names
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.patterns import beginning, containing
from qflowd.api.named import workflow_of
from qflowd.api.paging import ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.engine.definitions.workflow_heads import head_etag
from qflowd.model import jsontext
from qflowd.model.roles import Role

RUNS: Final = 14  # of each workflow in the list
LATEST: Final = 25  # of one


class RunInShort(Item):
    """An instance in short."""

    id: int
    state: str
    business_date: date | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None


class ScheduleInShort(Item):
    """When a workflow fires next, by which `times`: a cron expression, or such as `close+30m`. `wait_reason`: why it does not.

    `set_by`: who has set other times than `file_says`; null: they are those of the file.
    """

    name: str
    cron: str
    times: str
    calendar: str
    timezone: str
    enabled: bool
    next_fire_at: datetime | None
    last_fire_at: datetime | None
    wait_reason: str | None
    set_by: str | None
    file_says: str | None


class WorkflowItem(Item):
    """A workflow in the list. `runs`: its last 14, newest first. `error`: of its file; `warning`: what its tasks lack.

    A file that has never been without fault is listed too: it has no version. Where its key is unknown, or another file's, it
    is listed by its path, to callers of the system alone.
    """

    workflow: str
    title: str
    description: str
    domain: str
    type: str
    tags: Sequence[str]
    enabled: bool
    version: int | None
    canary_version: int | None
    canary_share: float | None
    source: str | None
    file: str | None
    error: str | None
    warning: str | None
    wait_reason: str | None
    updated_at: datetime
    archived_at: datetime | None
    runs: Sequence[RunInShort]
    open: int
    next_fire_at: datetime | None


class WorkflowDetail(WorkflowItem):
    """A workflow by itself, with its last 25 runs. `hash`: of its active version; `etag`: of its head, for If-Match of PUT."""

    id: int
    hash: str | None
    etag: str
    created_at: datetime
    default_pool: str | None
    schedules: Sequence[ScheduleInShort]


class WorkflowsQuery(PageQuery):
    """`q`: what keys begin with, in any case of letters; `tag`: that it has. `archived`: those as well."""

    q: str | None = None
    domain: str | None = None
    tag: str | None = None
    enabled: bool | None = None
    archived: bool = False


@route("GET", "/workflows", Role.READ)
def list_workflows(call: Call, query: WorkflowsQuery) -> ListPage[WorkflowItem]:
    """The workflows by their keys, each with its last 14 runs, how many are open, and its next fire."""
    after = read_cursor(query, tuple[str]) or ("",)
    filters: dict[str, Any] = {
        "prefix": beginning(query.q or ""),
        "domain": query.domain,
        "tags": containing(query.tag and jsontext.dump(query.tag)),
        "enabled": None if query.enabled is None else int(query.enabled),
        "with_archived": int(query.archived),
        "with_files": int(sees_names(call)),
    }
    found = call.read("list_workflow_page", after=after[0], **filters, batch=query.limit + 1)
    total = call.one("count_workflow_page", **filters).workflows if query.total else None
    page: ListPage[Any] = page_of(query, found, "workflow", total=total)
    if rows := page.items:
        more = _More(call, rows[0].workflow, rows[-1].workflow, RUNS)
        page.items = [WorkflowItem(**more.of(row, WorkflowItem)) for row in rows]
    return page


@route("GET", "/workflows/{id}", Role.READ)
def show_workflow(call: Call, id: str) -> WorkflowDetail:
    """A workflow: by its key, or by its number where no key is like that."""
    found = workflow_of(call, id)
    row = call.one("show_workflow", workflow=found.workflow)
    more = _More(call, found.workflow, found.workflow, LATEST)
    values = more.of(row, WorkflowDetail)
    about = {"id": found.id, "schedules": more.schedules[found.workflow], "etag": head_etag(row)}
    return WorkflowDetail(**values, **about)


class _More:
    """What is shown of the workflows from one key to another, beside their own rows: three statements for all of them."""

    def __init__(self, call: Call, first: str, last: str, runs: int) -> None:
        self._call = call
        keys = {"first_key": first, "last_key": last}
        self.runs: dict[str, list[RunInShort]] = defaultdict(list)
        for row in call.read("list_last_runs", runs=runs, **keys):
            self.runs[row.workflow].append(RunInShort(**fields_of(row, RunInShort)))
        self.open: Mapping[str, int] = {row.workflow: row.runs for row in call.read("count_open_runs", **keys)}
        self.schedules: dict[str, list[ScheduleInShort]] = defaultdict(list)
        for row in call.read("list_schedules_between", **keys):
            self.schedules[row.workflow].append(ScheduleInShort(**fields_of(row, ScheduleInShort)))

    def of(self, row: Any, kind: type[Item]) -> dict[str, Any]:
        """The fields of a workflow, a row of the view, as far as they are known here."""
        fires = [each.next_fire_at for each in self.schedules[row.workflow] if each.next_fire_at is not None]
        return {
            **fields_of(hide_file(self._call, row), kind),
            "tags": row.tags or [],
            "runs": self.runs[row.workflow],
            "open": self.open.get(row.workflow, 0),
            "next_fire_at": min(fires, default=None),
        }
