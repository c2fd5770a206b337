"""Numbered migrations under a lock, step by step in a ledger: safe when daemons start together or are killed."""

from pathlib import Path
from typing import Final, NamedTuple

from qflowd import resources
from qflowd.model.errors import SchemaMissing, SchemaOutdated, SchemaTooNew, StoreUnavailable
from qflowd.store.dialects.base import Connection, Dialect, Disconnected, Forbidden, Retryable
from qflowd.store.tx import Store

LEDGER = """
CREATE TABLE IF NOT EXISTS qflow.migration (
    number {int} NOT NULL,
    step {int} NOT NULL,
    applied_at {instant} NOT NULL,
    PRIMARY KEY (number, step)
) {table}
"""


_found: Final[dict[str, frozenset[tuple[int, int]]]] = {}  # by dialect


class Step(NamedTuple):
    """One statement of a migration, not rendered; `number` and `position` name it in the ledger."""

    number: int
    position: int
    text: str


_cut: dict[str, list[Step]] = {}  # by dialect; what they say is rendered later, for the server that is there


def steps(dialect: Dialect) -> list[Step]:
    """Every step there is, in order. Files are `NNNN_name.sql`; the newest number ends with all of `views.sql`.

    A view that changes needs a new number, with whatever else changes; older ones never made views of their own.
    """
    renderer = dialect.renderer
    if renderer.dialect not in _cut:
        files, split = _files(), renderer.split_ddl
        parts = {_number(file): split(file.read_text("utf-8")) for file in files}
        parts[_number(files[-1])] += split((files[-1].parent / "views.sql").read_text("utf-8"))
        _cut[renderer.dialect] = [
            Step(number, position, text) for number, texts in parts.items() for position, text in enumerate(texts, 1)
        ]
    return _cut[renderer.dialect]


def newest() -> int:
    """The number of the newest migration that this qflowd knows."""
    return _number(_files()[-1])


def _files() -> list[Path]:
    return sorted((resources.folder("sql") / "common" / "migrations").glob("[0-9]*_*.sql"))


def _number(file: Path) -> int:
    return int(file.name.partition("_")[0])


def script(dialect: Dialect) -> str:
    """The whole schema as text, for a DBA who runs it by hand on an empty database (SQLite: on the file opened directly).

    MySQL is asked which kind of server it is, if it can be reached.
    """
    dialect.learn_server()
    texts = [dialect.renderer.ddl(LEDGER)]
    for step in steps(dialect):
        texts += [dialect.renderer.ddl(step.text), _record(dialect, step)]
    return dialect.as_script(texts)


def migrate(store: Store) -> int:
    """Bring the schema to the newest version; do nothing where it is there. Returns how many steps were run.

    Raises: SchemaTooNew if a newer qflowd has been here; StoreUnsupported where a table cannot hold every text;
        StoreUnavailable, also if another process migrates for a minute; GrantsMissing.
    """
    try:
        done = _migrate(store.connection(), store.dialect)
        store.dialect.check_tables(store.connection())
        return done
    except Forbidden as error:
        raise store.dialect.without_grant(error) from error
    except Retryable as error:
        raise StoreUnavailable(
            f"{store.dialect.describe()} cannot be migrated now, another process is migrating: {error}"
        ) from error
    except Disconnected as error:
        store.disconnect()
        raise StoreUnavailable(
            f"lost {store.dialect.describe()} while migrating; run it again, it continues where it stopped: {error}"
        ) from error


def _migrate(connection: Connection, dialect: Dialect) -> int:
    if dialect.has_schema(connection) and not _missing(connection, dialect):
        return 0
    if dialect.ddl_in_transaction:
        connection.begin()
    try:
        dialect.migration_lock(connection)
        dialect.create_namespace(connection)
        done = _run_steps(connection, dialect)
        if dialect.ddl_in_transaction:
            connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        dialect.migration_unlock(connection)
    return done


def check(store: Store) -> None:
    """Refuse a schema that is not exactly the one this qflowd was written for.

    Raises: SchemaOutdated, SchemaTooNew; StoreUnsupported where a table cannot hold every text; StoreUnavailable.
    """
    store.ask(lambda connection: _check(connection, store.dialect))


def _check(connection: Connection, dialect: Dialect) -> None:
    name = dialect.describe()
    if not dialect.has_schema(connection):
        raise SchemaMissing(f"{name} holds no qflowd schema; run `qflowd migrate` (or `qflowd run`)")
    if missing := _missing(connection, dialect):
        raise SchemaOutdated(f"{name} lacks {len(missing)} steps of schema {newest()}: run `qflowd migrate`")
    dialect.check_tables(connection)


def _run_steps(connection: Connection, dialect: Dialect) -> int:
    connection.script(dialect.renderer.ddl(LEDGER))
    missing = _missing(connection, dialect)
    for step in missing:
        try:
            connection.script(dialect.renderer.ddl(step.text))
        except Exception as error:
            # MySQL commits each DDL statement: a crash may lie between the statement and its entry in the ledger.
            if not dialect.ddl_applied_already(error):
                raise
        connection.script(_record(dialect, step))
    return len(missing)


def _record(dialect: Dialect, step: Step) -> str:
    clock = dialect.renderer.words["clock"]
    return f"INSERT INTO qflow.migration (number, step, applied_at) VALUES ({step.number}, {step.position}, {clock})"  # noqa: S608


def _missing(connection: Connection, dialect: Dialect) -> list[Step]:
    applied = {(number, position) for number, position in connection.script("SELECT number, step FROM qflow.migration")}
    if (there := max(applied, default=(0, 0))[0]) > newest():
        raise SchemaTooNew(f"the schema has version {there}, this qflowd knows {newest()}: upgrade qflowd on this host")
    if applied >= _ids_of_steps(dialect):
        return []
    return [step for step in steps(dialect) if (step.number, step.position) not in applied]


def _ids_of_steps(dialect: Dialect) -> frozenset[tuple[int, int]]:
    """Number and position of every step. Its file is read for the first store of a process, not for each."""
    name = dialect.renderer.dialect
    if name not in _found:
        _found[name] = frozenset((step.number, step.position) for step in steps(dialect))
    return _found[name]
