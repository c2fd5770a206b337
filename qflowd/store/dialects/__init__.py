"""For each database: the dialect itself, and beside it its connection and errors, its words (renderer), its alarm."""

from urllib.parse import urlsplit

from qflowd.model.errors import InvalidRequest
from qflowd.store.dialects.base import Dialect


def dialect_for(url: str) -> Dialect:
    """The dialect that a database URL asks for; only its driver is imported.

    Raises InvalidRequest for a scheme we do not know.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme == "sqlite":
        from qflowd.store.dialects.sqlite import Sqlite

        return Sqlite(url)
    if scheme in ("postgresql", "postgres"):
        from qflowd.store.dialects.postgres import Postgres

        return Postgres(url)
    if scheme in ("mysql", "mariadb"):
        from qflowd.store.dialects.mysql import Mysql

        return Mysql(url)
    raise InvalidRequest(
        f"database URL starts with {scheme or 'nothing'!r}; use sqlite:///FILE, postgresql://… or mysql://…"
    )
