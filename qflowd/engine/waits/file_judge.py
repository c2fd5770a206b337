"""Have the files come that a task waits for? Decided of what a look at their folder has seen; pure."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from qflowd.define.file_patterns import MOST_FILES
from qflowd.engine.waits.folders import FileMark, Listing, Sightings, names_of
from qflowd.engine.waits.wanted_files import WantedFiles
from qflowd.model import jsontext
from qflowd.model.instants import format_instant


class Sight(NamedTuple):
    """`found`: the files as JSON, where all have come; else `remark` says what is still missing."""

    found: str | None
    remark: str


def judge(wanted: WantedFiles, listing: Listing, sightings: Sightings) -> Sight:
    """`listing`: of a look for this pattern among others. `sightings`: of this folder; the listing has been added."""
    if listing.fault:
        return Sight(None, listing.fault)
    names = names_of(wanted.pattern, listing.in_order)
    if wanted.ok:
        names = [name for name in names if not name.endswith(wanted.ok)]
    if len(names) > MOST_FILES:
        return Sight(None, f"more than {MOST_FILES:,} files match; a narrower pattern is needed")
    if len(names) < wanted.at_least:
        return Sight(None, "no file matches" if not names else f"{len(names)} of {wanted.at_least} files are there")
    for name in names:
        if wanted.ok and name + wanted.ok not in listing.names:
            return Sight(None, f"{name}{wanted.ok} is missing")
        if sightings.stood_s(name, listing) < wanted.stable_s:
            return Sight(None, f"{name} has not stood still for {wanted.stable_s:g} s")
    found = jsontext.dump([_shown(wanted.folder, name, listing.files[name]) for name in names])
    if len(found) > jsontext.LARGEST_TEXT:
        return Sight(
            None, f"the list of {len(names):,} files is too long to be an output; a narrower pattern is needed"
        )
    return Sight(found, "")


def _shown(folder: str, name: str, mark: FileMark) -> dict[str, str | int | None]:
    try:
        at = format_instant(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=mark.modified_ns // 1000))
    except OverflowError:
        at = None
    return {"path": jsontext.clean_text(f"{folder.rstrip('/')}/{name}"), "size": mark.size, "modified_at": at}
