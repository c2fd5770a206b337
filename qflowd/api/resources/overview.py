"""What the first page shows."""

from datetime import datetime

from qflowd.api.call import Call
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.today.overview import Overview, seen_overview
from qflowd.model.roles import Role


class OverviewQuery(Query):
    """`since`: from when states are counted, such as the beginning of the reader's day; a day ago if it is left out."""

    since: datetime | None = None


@route("GET", "/overview", Role.READ)
def show_overview(call: Call, query: OverviewQuery) -> Overview:
    """What fails, runs and comes next; the same for all who ask within a second."""
    return seen_overview(call, query.since)
