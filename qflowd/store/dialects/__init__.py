"""For each database: the dialect itself, and beside it its connection and errors, its words (renderer), its alarm."""

from pathlib import Path

from qflowd.config.database_url import resolve
from qflowd.model.errors import InvalidRequest
from qflowd.store.dialects.base import Dialect


def dialect_for(url: str) -> Dialect:
    """The dialect that a database URL asks for; only its driver is imported. A relative file begins at the current folder.

    Raises: InvalidRequest if no database of ours answers to `url`.
    """
    try:
        url = resolve(url, Path.cwd())
    except ValueError as error:
        raise InvalidRequest(f"the database URL {error}") from None
    if url.startswith("sqlite"):
        from qflowd.store.dialects.sqlite import Sqlite

        return Sqlite(url)
    if url.startswith("postgres"):
        from qflowd.store.dialects.postgres import Postgres

        return Postgres(url)
    from qflowd.store.dialects.mysql import Mysql

    return Mysql(url)
