"""`qflowd doctor`: checks everything that has to be right, and names the remedy where it is not."""

import platform
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata
from typing import Final

import click

from qflowd import __version__
from qflowd.cli import api_checks, connection_checks, database_checks, host_checks
from qflowd.cli.exits import ERROR, NO_DATABASE, OK
from qflowd.cli.finding import Finding, fault, ok
from qflowd.cli.printing import coloured, print_json
from qflowd.cli.session import configuration, json_option
from qflowd.model.errors import FaultyDocument, QflowdError
from qflowd.store.tx import Store

WORDS: Final = {"ok": ("SUCCESS", "ok"), "warning": ("WARNING", "warning"), "fault": ("FAILED", "FAULT")}
NEEDED: Final = ("reach", "schema")  # without them the rest of the database cannot be looked at


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    """Check configuration, pools, folders, connections and the database. Nothing is changed.

    Exit code 1 if there is a fault; 5 if the database cannot be reached, or its schema is not this qflowd's.
    """
    findings: list[Finding] = []
    for finding in _look():
        if finding in findings:  # this host and the daemons may find the same fault in a file
            continue
        findings.append(finding)
        if not as_json:
            word = coloured(*WORDS.get(finding.level, (None, finding.level)))
            gap = " " * (8 - len(click.unstyle(word)))
            click.echo(f"{word}{gap}{finding.about}: {finding.message}")
            if finding.remedy:
                click.echo(f"{'':8}-> {finding.remedy}")
    faults = [finding.about for finding in findings if finding.level == "fault"]
    if as_json:
        print_json({"ok": not faults, "findings": findings})
    if set(faults).intersection(NEEDED):
        return NO_DATABASE
    return ERROR if faults else OK


def _look() -> Iterator[Finding]:
    try:
        config = configuration()
    except FaultyDocument as error:
        yield from (fault("configuration", str(each)) for each in error.faults)
        return
    yield ok("configuration", str(config.file or "no file; defaults"))
    drivers = "".join(f", {name} {metadata.version(name)}" for name in ("apsw", "psycopg", "PyMySQL"))
    yield ok("versions", f"qflowd {__version__}, Python {platform.python_version()}{drivers}")
    for look in (*host_checks.CHECKS, *api_checks.CHECKS, *connection_checks.CHECKS):
        yield from look(config)
    with closing(Store(config.database.url)) as store:
        for about, check in database_checks.CHECKS.items():
            try:
                for finding in check(store):
                    yield finding
                    if finding.level == "fault" and finding.about in NEEDED:
                        return
            except Exception as error:  # noqa: BLE001 - drivers and missing tables speak in many ways
                what = "" if isinstance(error, QflowdError) else "cannot be checked: "
                yield fault(about, what + " ".join(str(error).split()))
                if about in NEEDED:
                    return
