"""The search field: what begins with the words that are typed, eight of each kind at most."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final

import msgspec

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.patterns import beginning
from qflowd.api.named import number_in
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import items_of
from qflowd.model.roles import Role

MOST: Final = 8
LATEST: Final = 2000  # instances whose names are looked at
LAST_CHARACTER: Final = "\U0010ffff"  # that a name may not hold: what begins alike stands before it
JOBS: Final = 100  # from which those that the caller may run are chosen


class FoundWorkflow(Item):
    """A workflow by its key or title."""

    workflow: str
    title: str


class FoundTask(Item):
    """A task of an active version by its key or title."""

    workflow: str
    task: str
    title: str
    job: str


class FoundInstance(Item):
    """An instance by its number, or one of the newest by its name."""

    id: int
    workflow: str | None
    job: str | None
    name: str | None
    state: str
    business_date: date | None
    created_at: datetime


class FoundJob(Item):
    """A job by its name."""

    job: str
    title: str


class FoundDataset(Item):
    """A dataset by its name, with its latest version."""

    name: str
    version: int


class Found(Item):
    """What begins with the words."""

    workflows: Sequence[FoundWorkflow]
    tasks: Sequence[FoundTask]
    instances: Sequence[FoundInstance]
    jobs: Sequence[FoundJob]
    datasets: Sequence[FoundDataset]


class SearchQuery(Query):
    """`q`: the words, in any case of letters that the database knows; of datasets as they are written."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@route("GET", "/search", Role.READ)
def search(call: Call, query: SearchQuery) -> Found:
    """Workflows, tasks, instances, jobs and datasets that begin with these words; an instance by its number, too."""
    text = query.q.strip()
    like = {"prefix": beginning(text)}
    jobs = call.read("search_jobs", batch=JOBS, **like)
    return Found(
        workflows=items_of(call.read("search_workflows", batch=MOST, **like), FoundWorkflow),
        tasks=items_of(call.read("search_tasks", batch=MOST, **like), FoundTask),
        instances=items_of(
            call.read("search_instances", id=number_in(text.lstrip("#")), latest=LATEST, batch=MOST, **like),
            FoundInstance,
        ),
        jobs=items_of([row for row in jobs if call.may_run(job=row.job)][:MOST], FoundJob),
        datasets=items_of(
            call.read("search_datasets", prefix=text, prefix_end=text + LAST_CHARACTER, batch=MOST), FoundDataset
        ),
    )
