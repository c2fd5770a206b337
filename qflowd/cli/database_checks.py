"""What doctor asks the database: version, schema, isolation, grants, clock, indexes, who is there."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from qflowd.cli.finding import Finding, fault, note, ok, warning
from qflowd.model import zones
from qflowd.model.errors import QflowdError
from qflowd.store import migrate
from qflowd.store.inbox import SUBMISSION
from qflowd.store.probe import probe_skip_locked
from qflowd.store.tx import Store, Tx

MOST_SKEW_S: Final = 2.0
LEAST_PACKET: Final = 16 << 20
GOOD_ISOLATION: Final = ("read committed", "serializable")


class _RollBack(Exception):
    """Ends a transaction that only tried something out."""


def check_schema(store: Store) -> Iterator[Finding]:
    """The schema is this qflowd's."""
    try:
        migrate.check(store)
    except QflowdError as error:
        yield fault("schema", str(error))
    else:
        yield ok("schema", f"version {migrate.newest()}, all steps done")


def check_server(store: Store) -> Iterator[Finding]:
    """Version, durability, packet size, isolation."""
    server = store.read(lambda tx: tx.one("show_server"))
    login = f" as {server.login}" if server.login else ""
    yield ok("database", f"{store.dialect.describe()}{login}, {store.dialect.name} {server.version}")
    if str(server.durability) in ("off", "0", "2"):
        message = f"commits are not flushed at once (setting {server.durability})"
        yield warning("durability", message, "a crash of the machine can lose what was committed last")
    else:
        yield ok("durability", f"commits are flushed ({server.durability})")
    if 0 < int(server.packet) < LEAST_PACKET:
        message = f"max_allowed_packet is {int(server.packet) >> 20} MB"
        yield warning(
            "packet size", message, "outputs and batches need 16 MB: SET GLOBAL max_allowed_packet = 67108864"
        )
    if not server.knows_zones:
        message = "the server has no zone tables: CONVERT_TZ with names is NULL, and a NULL run_at runs at once"
        yield warning("time zones", message, "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql")
    isolation = str(store.read(lambda tx: tx.one("show_isolation"))[1]).lower().replace("-", " ")
    if isolation in GOOD_ISOLATION:
        yield ok("isolation", isolation)
    else:
        yield fault("isolation", f"{isolation}: claims and counters need read committed", "set it for this login")


def check_locks(store: Store) -> Iterator[Finding]:
    """SKIP LOCKED does what claiming needs."""
    probe_skip_locked(store)
    yield ok("locks", "two sessions get different rows")


def check_clock(store: Store) -> Iterator[Finding]:
    """This host's clock beside the server's."""
    before = datetime.now(UTC)
    server = store.read(lambda tx: tx.one("show_clock")).server_at
    after = datetime.now(UTC)
    skew_s = (server - before - (after - before) / 2).total_seconds()
    message = f"the server's clock is {abs(skew_s):.3f} s {'ahead of' if skew_s > 0 else 'behind'} this host's"
    if abs(skew_s) > MOST_SKEW_S:
        yield warning("clock", message, "leases and schedules follow the server's; run NTP on both, for log times")
    else:
        yield ok("clock", message)


def check_zones(store: Store) -> Iterator[Finding]:
    """Whose time zone rules decide, and which zones of schedules jobs see otherwise."""
    found = zones.releases()
    system, package = found.system or "of an unknown release", found.package or "not installed"
    message = f"time zone data {found.newest or 'of an unknown release'} (system: {system}, package tzdata: {package})"
    now = datetime.now(UTC)
    names = [row.timezone for row in store.read(lambda tx: tx.run("list_zones"))]
    different = [name for name in names if found.package and zones.differs(name, now)]
    if different:
        remedy = "update both: the newer decides for schedules, the system's is what most jobs see"
        yield warning("time zones", f"{message}; they differ in {', '.join(different)}", remedy)
    else:
        yield ok("time zones", message)


def check_indexes(store: Store) -> Iterator[Finding]:
    """Every index of the migrations is there."""
    there = {str(row.name) for row in store.read(lambda tx: tx.run("list_indexes"))}
    wanted = set(re.findall(r"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+)", migrate.script(store.dialect)))
    missing = sorted(wanted - there)
    if missing:
        yield fault("indexes", f"missing: {', '.join(missing)}", "create them as `qflowd migrate --print-sql` shows")
    else:
        yield ok("indexes", f"all {len(wanted)} are there")


def check_grants(store: Store) -> Iterator[Finding]:
    """Clients' rights and a daemon's rights, tried in a transaction that is rolled back."""
    row = SUBMISSION | {"tenant": "doctor", "job": "doctor", "hold": 1, "trigger_type": "doctor"}

    def submit(tx: Tx) -> None:
        tx.run("insert_submission", **row)
        raise _RollBack

    def work(tx: Tx) -> None:
        tx.run("list_due_timers", now=tx.now, batch=1)
        tx.run("save_progress", rows=[(-1, 0, 0.0, None, "")], now=tx.now)
        raise _RollBack

    for what, attempt in (
        ("clients: INSERT into the inboxes", submit),
        ("daemons: INSERT and UPDATE in all tables", work),
    ):
        try:
            store.transact(attempt)
        except _RollBack:
            yield ok("grants", what)
        except Exception as error:  # noqa: BLE001 - every driver has its own
            first = str(error).strip().split("\n")[0]
            yield fault("grants", f"{what}: {first}", "docs/operations.md lists the grants")


def check_daemons(store: Store) -> Iterator[Finding]:
    """Who is alive, and who waits for them."""
    alive = store.read(lambda tx: tx.run("list_daemons"))
    waiting = int(store.read(lambda tx: tx.one("count_new", tenant=None)).submissions)
    names = ", ".join(f"{row.name} ({row.host}, {row.version})" for row in alive)
    if not alive:
        message = "none is running" + (f", and {waiting} submissions wait" if waiting else "")
        yield (warning if waiting else note)("daemons", message, "qflowd run")
    else:
        yield ok("daemons", names)
    for row in store.read(lambda tx: tx.run("list_plugins")):
        if row.error:
            yield warning("plugins", f"{row.file} on {row.daemon}: {row.error}", "qflowd plugins")


def check_schedules(store: Store) -> Iterator[Finding]:
    """Schedules whose last fire was rejected."""
    for row in store.read(lambda tx: tx.run("list_rejected_fires")):
        message = f"the last fire of workflow {row.workflow} was rejected: {' '.join(str(row.error).split())}"
        yield warning("schedules", message, f"qflowd schedules fires {row.workflow}")


OF_SERVER: Final = (check_server, check_clock)
OF_TABLES: Final = (check_zones, check_locks, check_indexes, check_grants, check_daemons, check_schedules)
