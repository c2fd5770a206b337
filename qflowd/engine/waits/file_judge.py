"""Have the files come that a task waits for? Decided of what a look at their folder has seen; pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from qflowd.define.file_patterns import CHECKSUMS, MOST_FILES
from qflowd.engine.waits.checksums import Compared, Comparison
from qflowd.engine.waits.folders import FileMark, Listing, Sightings, names_of
from qflowd.engine.waits.open_looks import Sight
from qflowd.engine.waits.wanted_files import WantedFiles
from qflowd.model import jsontext
from qflowd.model.instants import format_instant


def judge(
    wanted: WantedFiles, listing: Listing, sightings: Sightings, verdicts: Mapping[Comparison, Compared]
) -> tuple[Sight, tuple[Comparison, ...]]:
    """Also the files that are to be compared with their checksums before it can be said.

    Args:
        listing: of a look for these patterns among others.
        sightings: of this folder; the listing has been added.
        verdicts: of files that have been compared with their checksums.
    """
    beside = tuple(filter(None, (wanted.ok, wanted.checksum)))
    names = names_of(wanted.pattern, listing.in_order)
    if beside:
        names = [name for name in names if not name.endswith(beside)]
    if remark := listing.fault or _missing(wanted, names, beside, listing, sightings):
        return Sight(None, remark), ()
    if wanted.checksum:
        remark, compare = _differing(wanted, names, listing, verdicts)
        if remark:
            return Sight(None, remark), compare
    found = jsontext.dump([_shown(wanted.folder, name, listing.files[name]) for name in names])
    if len(found) > jsontext.LARGEST_TEXT:
        remark = f"the list of {len(names):,} files is too long to be an output; a narrower pattern is needed"
        return Sight(None, remark), ()
    return Sight(found, ""), ()


def _missing(
    wanted: WantedFiles, names: Sequence[str], beside: Iterable[str], listing: Listing, sightings: Sightings
) -> str:
    """What is not there yet, or has not stood still; "" where all is."""
    if len(names) > MOST_FILES:
        return f"more than {MOST_FILES:,} files match; a narrower pattern is needed"
    if len(names) < wanted.at_least:
        return "no file matches" if not names else f"{len(names)} of {wanted.at_least} files are there"
    for name in names:
        if missing := next((suffix for suffix in beside if name + suffix not in listing.names), None):
            return f"{name}{missing} is missing"
        if sightings.stood_s(name, listing) < wanted.stable_s:
            return f"{name} has not stood still for {wanted.stable_s:g} s"
    return ""


def _differing(
    wanted: WantedFiles, names: Iterable[str], listing: Listing, verdicts: Mapping[Comparison, Compared]
) -> tuple[str, tuple[Comparison, ...]]:
    """What has been found to differ, or is to be compared; "" where all files have their digests."""
    compare = []
    for name in names:
        if (said := listing.files.get(name + wanted.checksum)) is None:
            return f"{name}{wanted.checksum} is not a file that can be read here", ()
        each = Comparison(wanted.folder, name, wanted.checksum, listing.files[name], said)
        verdict = verdicts.get(each)
        if verdict is None:
            compare.append(each)
        elif verdict.fault:
            return verdict.fault, () if verdict.is_final else (each,)
    if not compare:
        return "", ()
    return f"{compare[0].name} is being compared with its {CHECKSUMS[wanted.checksum]}", tuple(compare)


def _shown(folder: str, name: str, mark: FileMark) -> dict[str, str | int | None]:
    try:
        at = format_instant(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=mark.modified_ns // 1000))
    except OverflowError:
        at = None
    return {"path": jsontext.clean_text(f"{folder.rstrip('/')}/{name}"), "size": mark.size, "modified_at": at}
