"""What doctor asks the database: version, schema, isolation, grants, clock, indexes, who is there."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from qflowd.calendars.horizon import SOON, ends_soon
from qflowd.cli.finding import Finding, fault, judge, note, ok, warning
from qflowd.cli.printing import in_zone
from qflowd.engine.calendars.horizons import calendars_in_use
from qflowd.model import zones
from qflowd.model.durations import MB
from qflowd.store import migrate
from qflowd.store.inbox import SUBMISSION
from qflowd.store.probe import probe_skip_locked
from qflowd.store.tx import Store, Tx

MOST_SKEW_S: Final = 2.0
LEAST_PACKET_MB: Final = 16
NOT_FLUSHED: Final = ("off", "0", "2")


class _RollBack(Exception):
    """Ends a transaction that only tried something out."""


def _check_reach(store: Store) -> Iterator[Finding]:
    """There is a database; in a SQLite file only this user may write."""
    file = store.dialect.file
    if file is not None:
        if not file.exists():
            yield fault("reach", f"there is no database file {file}", "qflowd init, qflowd migrate or qflowd run")
            return
        about, mode = "database file", stat.S_IMODE(file.stat().st_mode)
        message = f"{file} has mode {mode:04o}, {file.stat().st_size / MB:.1f} MB"
        others = "could submit anything" if mode & 0o022 else "can read params and logs"
        remedy = f"others {others}: chmod 600 {file}"
        yield judge(not mode & 0o066, about, message, remedy, "fault" if mode & 0o022 else "note")
        if not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
            message = f"this user cannot write to {file} and its folder"
            yield fault(about, message, f"chown them, or run as {file.owner()}")
    store.connection()


def _check_server(store: Store) -> Iterator[Finding]:
    """Version, durability, packet size, zone tables, isolation."""
    server = _one(store, "show_server")
    login = f" as {server.login}" if server.login else ""
    yield ok("database", f"{store.dialect.describe()}{login}, {store.dialect.name} {server.version}")
    flushes = str(server.durability) not in NOT_FLUSHED
    message = f"commits are {'' if flushes else 'not '}flushed at once ({server.durability})"
    yield judge(flushes, "durability", message, "a crash of the machine can lose the last commits")
    if packet_mb := int(server.packet) >> 20:
        remedy = "outputs and batches need 16 MB: SET GLOBAL max_allowed_packet = 67108864"
        yield judge(packet_mb >= LEAST_PACKET_MB, "packet size", f"max_allowed_packet is {packet_mb} MB", remedy)
    if not server.knows_zones:
        message = "the server has no zone tables: CONVERT_TZ with names is NULL, and a NULL run_at runs at once"
        yield warning("time zones", message, "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql")
    isolation = str(_one(store, "show_isolation")[1]).lower().replace("-", " ")
    is_good = isolation in ("read committed", "serializable")
    message = isolation if is_good else f"{isolation}: claims and counters need read committed"
    yield judge(is_good, "isolation", message, "set it for this login", "fault")


def _check_clock(store: Store) -> Iterator[Finding]:
    """This host's clock beside the server's."""
    before = datetime.now(UTC)
    server = _one(store, "show_clock").server_at
    after = datetime.now(UTC)
    skew_s = (server - before - (after - before) / 2).total_seconds()
    message = f"the server's clock is {abs(skew_s):.3f} s {'ahead of' if skew_s > 0 else 'behind'} this host's"
    remedy = "leases and schedules follow the server's; run NTP on both, for log times"
    yield judge(abs(skew_s) <= MOST_SKEW_S, "clock", message, remedy)


def _check_schema(store: Store) -> Iterator[Finding]:
    """The schema is this qflowd's."""
    migrate.check(store)
    yield ok("schema", f"version {migrate.newest()}, all steps done")


def _check_zones(store: Store) -> Iterator[Finding]:
    """Whose time zone rules decide, and which zones of schedules jobs see otherwise."""
    has = zones.releases()
    system, package = has.system or "of an unknown release", has.package or "not installed"
    message = f"time zone data {max(has) or 'of an unknown release'} (system: {system}, package tzdata: {package})"
    names = [row.timezone for row in _all(store, "list_zones")] if has.package else []
    different = [name for name in names if zones.differs(name, datetime.now(UTC))]
    message += f"; they differ in {', '.join(different)}" if different else ""
    remedy = "update both: the newer decides for schedules, the system's is what most jobs see"
    yield judge(not different, "time zones", message, remedy)


def _check_locks(store: Store) -> Iterator[Finding]:
    """SKIP LOCKED does what claiming needs."""
    probe_skip_locked(store)
    yield ok("locks", "two sessions get different rows")


def _check_indexes(store: Store) -> Iterator[Finding]:
    """Every index of the migrations is there."""
    wanted = set(re.findall(r"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+)", migrate.script(store.dialect)))
    missing = sorted(wanted - {str(row.name) for row in _all(store, "list_indexes")})
    message = f"missing: {', '.join(missing)}" if missing else f"all {len(wanted)} are there"
    yield judge(not missing, "indexes", message, "create them as `qflowd migrate --print-sql` shows", "fault")


def _check_grants(store: Store) -> Iterator[Finding]:
    """Clients' rights and a daemon's rights, tried in a transaction that is rolled back."""
    row = SUBMISSION | {"tenant": "doctor", "job": "doctor", "hold": 1, "trigger_type": "doctor"}

    def attempt(tx: Tx, statement: str, **params: Any) -> None:
        tx.run(statement, now=tx.now, **params)
        raise _RollBack

    for what, work in {
        "clients: INSERT into the inboxes": partial(attempt, statement="insert_submission", **row),
        "daemons: INSERT and UPDATE in all tables": partial(
            attempt, statement="save_progress", rows=[(-1, 0, 0.0, None, "")]
        ),
    }.items():
        try:
            store.transact(work)
        except _RollBack:
            yield ok("grants", what)
        except Exception as error:  # noqa: BLE001 - every driver has its own
            first = str(error).strip().split("\n")[0]
            yield fault("grants", f"{what}: {first}", "docs/operations.md lists the grants")


def _check_daemons(store: Store) -> Iterator[Finding]:
    """Who is alive, who waits for them, and which plugins they could not load."""
    alive = [f"{row.name} ({row.host}, {row.version})" for row in _all(store, "list_daemons")]
    waiting = int(_one(store, "count_new", tenant=None).submissions)
    message = ", ".join(alive) or "none is running" + (f", and {waiting} submissions wait" if waiting else "")
    yield judge(alive, "daemons", message, "qflowd run", "warning" if waiting else "note")
    for row in _all(store, "list_plugins"):
        if row.error:
            yield warning("plugins", f"{row.file} on {row.daemon}: {row.error}", "qflowd plugins")


def _check_schedules(store: Store) -> Iterator[Finding]:
    """Schedules whose last fire was rejected."""
    for row in _all(store, "list_rejected_fires"):
        message = f"the last fire of workflow {row.workflow} was rejected: {' '.join(str(row.error).split())}"
        yield warning("schedules", message, f"qflowd schedules fires {row.workflow}")


def _check_calendars(store: Store) -> Iterator[Finding]:
    """Calendars that schedules and workflows go by are known for long enough."""
    now = store.clock.now()
    known = {(calendar.name, calendar.last): calendar for calendar in store.read(calendars_in_use).values()}
    ending: dict[date, list[str]] = {}
    for (name, last), calendar in sorted(known.items()):
        if ends_soon(calendar, now):
            ending.setdefault(last, []).append(name)
    for last, names in sorted(ending.items()):
        message = f"nothing is known after {last} of {', '.join(names)}, which schedules or workflows go by"
        yield warning("calendars", message, "update qflowd before then; import own calendars anew")
    if known and not ending:
        yield ok("calendars", f"those in use, {len(known)}, are known for more than {SOON} days from now")


def _check_workflows(store: Store) -> Iterator[Finding]:
    """Stored workflows whose tasks name a job or workflow that nobody has, and those that somebody has paused."""
    for row in _all(store, "list_workflow_warnings"):
        yield warning(
            "workflows", f"workflow {row.workflow}: {row.warning}", "qflowd jobs, qflowd workflows, qflowd validate"
        )
    for row in _all(store, "list_paused_workflows"):
        remedy = f"qflowd resume --workflow {row.workflow}; of a task, with --task"
        yield note("workflows", f"workflow {row.workflow}: {in_zone(row.wait_reason)}", remedy)


def _check_files(store: Store) -> Iterator[Finding]:
    """Files of workflows, task types and task definitions that are not in effect."""
    for row in _all(store, "list_workflow_faults"):
        for line in row.error.splitlines():
            yield warning("workflows", line, "qflowd validate")
    for row in _all(store, "list_gone_files"):
        message = f"workflow {row.workflow} is disabled: {row.error} ({row.file})"
        yield warning("workflows", message, f"put it back, or qflowd workflows archive {row.workflow}")
    for row in _all(store, "list_changed_since_archived"):
        change = row.file or "by a command"
        message = f"workflow {row.workflow} is archived, and has changed since ({change}): nothing of it runs"
        yield warning("workflows", message, f"qflowd workflows unarchive {row.workflow}")


def _one(store: Store, statement: str, **params: Any) -> Any:
    return store.read(lambda tx: tx.one(statement, **params))


def _all(store: Store, statement: str) -> Any:
    return store.read(lambda tx: tx.run(statement))


CHECKS: Final[Mapping[str, Callable[[Store], Iterator[Finding]]]] = {
    "reach": _check_reach,
    "server": _check_server,
    "clock": _check_clock,
    "schema": _check_schema,
    "zones": _check_zones,
    "locks": _check_locks,
    "indexes": _check_indexes,
    "grants": _check_grants,
    "daemons": _check_daemons,
    "schedules": _check_schedules,
    "calendars": _check_calendars,
    "workflows": _check_workflows,
    "files": _check_files,
}
