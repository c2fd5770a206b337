"""`qflowd doctor`: looks at everything that has to be right, and says what to do where it is not."""

from collections.abc import Callable, Iterator

import click

from qflowd.cli import database_checks, host_checks
from qflowd.cli.exits import ERROR, NO_DATABASE, OK
from qflowd.cli.finding import Finding, fault, ok
from qflowd.cli.printing import coloured, print_json
from qflowd.cli.session import configuration, json_option
from qflowd.config.records import Config
from qflowd.model.errors import FaultyDocument, QflowdError
from qflowd.store.tx import Store

WORDS = {"ok": coloured("SUCCESS", "ok"), "note": "note", "warning": coloured("WARNING", "warning")}
WORDS |= {"fault": coloured("FAILED", "FAULT")}


@click.command()
@json_option
def command(*, as_json: bool) -> int:
    """Check configuration, pools, folders and the database; the exit code is 1 if there is a fault.

    Nothing is changed. Exit code 5 if the database cannot be reached, or its schema is not this qflowd's.
    """
    findings: list[Finding] = []
    for finding in _look():
        findings.append(finding)
        if not as_json:
            _print(finding)
    faults = [finding for finding in findings if finding.level == "fault"]
    if as_json:
        print_json({"ok": not faults, "findings": findings})
    if any(finding.about in ("reach", "schema") for finding in faults):
        return NO_DATABASE
    return ERROR if faults else OK


def _print(finding: Finding) -> None:
    word = WORDS[finding.level]
    gap = " " * (8 - len(click.unstyle(word)))
    click.echo(f"{word}{gap}{finding.about}: {finding.message}")
    if finding.remedy:
        click.echo(f"{'':8}-> {finding.remedy}")


def _look() -> Iterator[Finding]:
    try:
        config = configuration()
    except FaultyDocument as error:
        for problem in error.faults:
            yield fault("configuration", str(problem))
        return
    yield ok("configuration", str(config.file or "no file; defaults"))
    yield from host_checks.check_pools(config)
    yield from host_checks.check_plugins(config)
    yield from host_checks.check_workflows(config)
    yield from _look_at_database(config)


def _look_at_database(config: Config) -> Iterator[Finding]:
    store = Store(config.database.url)
    file = store.dialect.file
    if file is not None:
        if not file.exists():
            yield fault("reach", f"there is no database file {file}", "qflowd init, qflowd migrate or qflowd run")
            return
        yield from host_checks.check_file(file)
    try:
        store.connection()
    except QflowdError as error:
        yield fault("reach", " ".join(str(error).split()))
        return
    try:
        schema = list(_try(database_checks.check_schema, store))
        yield from schema
        has_tables = all(finding.level == "ok" for finding in schema)
        for check in (*database_checks.OF_SERVER, *(database_checks.OF_TABLES if has_tables else ())):
            yield from _try(check, store)
    finally:
        store.close()


def _try(check: Callable[[Store], Iterator[Finding]], store: Store) -> Iterator[Finding]:
    """A check that cannot be carried out is a finding itself."""
    try:
        yield from check(store)
    except Exception as error:  # noqa: BLE001 - drivers and missing tables speak in many ways
        yield fault(check.__name__.removeprefix("check_"), f"cannot be checked: {' '.join(str(error).split())}")
