"""Reading requests strictly: an unknown parameter or field is a fault, so a misspelt filter never lists everything."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from qflowd.api.answers import ApiFault, Problem, field_name
from qflowd.api.call import Call
from qflowd.model import jsontext
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE
from qflowd.model.instants import within_bounds
from qflowd.model.near_names import did_you_mean
from qflowd.model.numbers import whole_number

S = TypeVar("S", bound=msgspec.Struct)
LARGEST_NUMBER = ABOVE_ALL_IDS  # of an id, and so of all numbers: what statements make of it fits a column
FORMS = {
    "Invalid RFC3339 encoded date": "must be a date, like 2026-11-20",
    "Invalid RFC3339 encoded datetime": "must be an instant, like 2026-11-20T09:30:00Z",
}
LARGEST_BODY = 2_000_000  # bytes; documents of workflows may have twice as many


class Body(msgspec.Struct, forbid_unknown_fields=True, rename=field_name):
    """Base of what requests carry: a field that is not declared is a fault."""


class Query(msgspec.Struct, forbid_unknown_fields=True, rename=field_name):
    """Base of the parameters of a route. Strings, numbers, dates, instants, literals, and tuples of them by commas."""


def read_query(pairs: Sequence[tuple[str, str]], kind: type[S]) -> S:
    """The query parameters of a route. An instant without an offset is UTC; one that no database has is the nearest it has.

    Raises: ApiFault 40002 for one that is unknown, is there twice, or cannot be read.
    """
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    faults = []
    for name, text in pairs:
        if name not in fields:
            faults.append(Problem(where=name, message="unknown query parameter" + did_you_mean(name, fields)))
        elif name in values:
            faults.append(Problem(where=name, message="is there twice"))
        else:
            values[name] = text.split(",") if _is_list(fields[name]) else text
    faults += [
        Problem(where=name, message=fault)
        for name in values
        if (fault := _fault(values[name], kind, name, choices_of(fields[name])))
    ]
    needed = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    faults += [Problem(where=name, message="is missing") for name in needed if name not in values]
    if faults:
        raise ApiFault(40002, "; ".join(f"{fault.where}: {fault.message}" for fault in faults), faults)
    try:
        query = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ApiFault(40002, str(error)) from None
    for name in query.__struct_fields__:
        if isinstance(value := getattr(query, name), datetime):
            setattr(query, name, within_bounds(value))
    return query


def read_body(body: bytes, content_type: str, kind: type[S]) -> S:
    """The body of a request; an empty one counts as `{}`.

    Raises: ApiFault 41501, 40001, or 42202 with the place of the fault.
    """
    if body and content_type.partition(";")[0].strip().lower() != "application/json":
        what = f"not {content_type.partition(';')[0].strip()!r}" if content_type else "and Content-Type must say so"
        raise ApiFault(41501, f"the body must be application/json, {what}")
    try:
        value = jsontext.parse(body, "the body", largest=2 * LARGEST_BODY, is_sent=True) if body else {}
    except jsontext.UnstorableText as error:
        where = error.place
        raise ApiFault(
            42202, f"{where or 'the body'} {error.fault}", [Problem(where=where, message=error.fault)]
        ) from None
    except ValueError as error:
        raise ApiFault(40001, str(error)) from None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        where, message = _of_body(error, kind)
        raise ApiFault(
            42202, f"{where}: {message}" if where else message, [Problem(where=where, message=message)]
        ) from None


def _of_body(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> tuple[str, str]:
    """The place of a fault in a body, and what is to be said of it."""
    where, message = _place(error)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    if message.startswith("Object contains unknown field"):
        name = message.split("`")[1]
        return f"{where}.{name}".lstrip("."), f"unknown field{did_you_mean(name, fields)}"
    if message.startswith("Object missing required field"):
        return f"{where}.{message.split('`')[1]}".lstrip("."), "is missing"
    if message.startswith("Invalid enum value") and (choices := choices_of(fields.get(where))):
        return where, f"must be {' or '.join(choices)}, not {message.partition('value ')[2]}"
    return where, message


def need_if_match(call: Call, etag: str, current: Any = None) -> None:
    """May a definition be changed that has this ETag now?

    `current`: it itself, for whoever has an older one; or a function that makes it.

    Raises: ApiFault 42801 without If-Match, which may be missing below /scheduling; 41201 if it names another state.
    """
    given = call.if_match
    if given is None:
        if call.is_scheduling:
            return
        raise ApiFault(
            42801, f"a change needs the header If-Match with the ETag of what it changes, now {quoted(etag)}"
        )
    if not names_etag(given, quoted(etag)):
        now = current() if callable(current) else current
        raise ApiFault(41201, f"it was changed meanwhile: its ETag is {quoted(etag)} now, not {given}", current=now)


def names_etag(header: str, etag: str) -> bool:
    """Does a header If-Match or If-None-Match name this ETag as it stands in a header, or whatever is there (`*`)?

    A proxy that compresses answers marks a strong ETag as weak, and what it names is the same.
    """
    named = {each.strip().removeprefix("W/") for each in header.split(",")}
    return bool(named & {"*", etag.removeprefix("W/")})


def quoted(etag: str) -> str:
    """A strong ETag as it stands in a header."""
    return f'"{etag}"'


def read_path(values: Mapping[str, str], types: Mapping[str, type], path: str) -> dict[str, Any]:
    """Parameters of a path of the table of routes, as their types. `~1` stands for a slash inside a segment.

    Raises: ApiFault 40401 for a number that is none: no such thing exists.
    """
    found: dict[str, Any] = {}
    for name, raw in values.items():
        text = raw.replace("~1", "/")
        if types[name] is int:
            number = whole_number(text, 19)
            is_instance = f"/instances/{{{name}}}" in path or f"/run/{{{name}}}" in path
            if number is None or number > (LARGEST_INSTANCE if is_instance else LARGEST_NUMBER):
                raise ApiFault(40401, f"there is no {name.removesuffix('_id')} {text[:60]!r}: it is a number")
            found[name] = number
        else:
            found[name] = jsontext.clean_text(text)
    return found


def _fault(value: Any, kind: type[msgspec.Struct], name: str, choices: Any) -> str | None:
    """Why the value of a parameter cannot be read; None if it can."""
    try:
        found = getattr(msgspec.convert({name: value}, _only(kind, name), strict=False), name)
    except msgspec.ValidationError as error:
        return _words(error, value, choices)
    if isinstance(found, int) and abs(found) > LARGEST_NUMBER:
        return f"{value[:60]!r} must be at most {LARGEST_NUMBER}"
    return None


def _is_list(kind: Any) -> bool:
    """Is this the type of a parameter that takes several values?"""
    return any(getattr(each, "__origin__", each) in (tuple, list) for each in (kind, *getattr(kind, "__args__", ())))


def _only(kind: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """A structure of one of the fields, so that each is told its own fault."""
    key = kind, name
    if key not in _ONLY:
        field = next(each for each in msgspec.structs.fields(kind) if each.encode_name == name)
        _ONLY[key] = msgspec.defstruct(f"{kind.__name__}_{name}", [(name, field.type)])
    return _ONLY[key]


_ONLY: dict[tuple[type, str], type[msgspec.Struct]] = {}


def choices_of(kind: Any) -> list[str]:
    """The words that a value of this type may be, or each of a list of them; none: it is not one of a few words."""
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    return [word for each in get_args(kind) for word in choices_of(each)]


def _words(error: msgspec.ValidationError, value: Any, choices: Sequence[str]) -> str:
    _, message = _place(error)
    if choices:
        return f"{str(value)[:60]!r} cannot be read: it must be {' or '.join(choices)}"
    if message in FORMS.values():
        return f"{str(value)[:60]!r} {message}"
    return f"{str(value)[:60]!r} cannot be read: {message[:1].lower()}{message[1:]}"


def _place(error: msgspec.ValidationError) -> tuple[str, str]:
    """The path of a fault, as `tasks[0].name`, and the fault."""
    message, _, place = str(error).partition(" - at `$")
    return place.rstrip("`").lstrip("."), FORMS.get(message, message)
