"""What a task that waits for a condition in another database wants, as it is stored."""

from typing import NamedTuple


class WantedQuery(NamedTuple):
    """A query, and where and how often it is asked.

    `connection`: a name in the configuration of daemons. `sql`: as `fault_in_query` lets it pass. `params`: the values that
    it names, a mapping of scalars as JSON. `every_s`: between two looks of a daemon, at least 5.
    """

    connection: str
    sql: str
    params: str
    every_s: float
