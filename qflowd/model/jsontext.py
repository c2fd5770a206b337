"""JSON text from and to the database: strict and bounded on the way in, canonical on the way out."""

import json
import math
import re
from typing import Any, Final

from qflowd.model.workflow import Json

LARGEST_TEXT: Final = 1_000_000
DEEPEST: Final = 64
SMALLEST_INT: Final = -(2**63)
LARGEST_INT: Final = 2**64 - 1

_UNWANTED: Final = re.compile("[\x00\ud800-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class UnstorableText(ValueError):
    """A string or key inside a value that not every database can hold; `place` is where, such as `tags[0]`."""

    def __init__(self, what: str, place: str, fault: str) -> None:
        self.place, self.fault = place, fault
        super().__init__(f"{what}{'' if not place or place.startswith('[') else '.'}{place} {fault}")


def parse(
    text: str | bytes,
    what: str = "JSON",
    largest: int = LARGEST_TEXT,
    deepest: int = DEEPEST,
    *,
    is_sent: bool = False,
) -> Json:
    """The value that `text` writes down; `what` names it in errors, as in "params".

    `largest` counts bytes of UTF-8. Refused: duplicate keys, NaN and Infinity, whole numbers over 64 bits,
    more than `deepest` levels. NUL and lone surrogates inside strings are refused where a person or program has sent
    them (`is_sent`), so that nothing is changed in silence; what jobs have made is kept, and they are replaced.

    Raises: ValueError with a sentence that opens with `what`; UnstorableText is one.
    """
    text = _as_text(text, what, largest)
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"{what} is nested more than {deepest} levels deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not valid JSON: {error}") from None
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None
    # A text with few brackets cannot be deep: spares the walk in nearly every case.
    if text.count("[") + text.count("{") > deepest and depth(value) > deepest:
        raise ValueError(f"{what} is nested more than {deepest} levels deep")
    if "\\u" not in text and not _UNWANTED.search(text):
        return value
    if is_sent:
        _refuse_unstorable(value, what)
        return value
    return clean(value)


def dump(value: Json) -> str:
    """Compact text with sorted keys: equal values give equal results. Lone surrogates are replaced.

    Raises: ValueError where `value` is not JSON (NaN, other types, a loop).
    """
    return _SURROGATE.sub("\ufffd", _encoded(value))


def dump_sent(value: Json, what: str) -> str:
    """As `dump`, of what a person or program sends; `what` names it in errors.

    Raises: ValueError; UnstorableText for NUL and lone surrogates.
    """
    text = _encoded(value)
    if "\\u0000" in text or _SURROGATE.search(text):
        _refuse_unstorable(value, what)
    return text


def clipped(text: str, longest: int) -> str:
    """`text`, of which at most `longest` characters are left, more of its end than of its start."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 4]}\n… cut …\n{text[-longest // 4 * 3 :]}"


def fault_in_text(text: str) -> str | None:
    """Why not every database can hold `text`; None if each can."""
    if (found := _UNWANTED.search(text)) is None:
        return None
    what = "NUL (U+0000)" if found[0] == "\0" else f"half a character (the surrogate U+{ord(found[0]):04X})"
    return f"contains {what}, which databases cannot hold; leave it out"


def clean_text(text: str) -> str:
    """`text` without what databases refuse: NUL and lone surrogates become U+FFFD."""
    try:
        text.encode()  # a search by pattern takes a hundred times as long
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
    return text.replace("\0", "\ufffd")


def clean(value: Json) -> Json:
    """`value` with all its strings and keys cleaned; at most `DEEPEST` levels deep."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def depth(value: Json) -> int:
    """How many levels of lists and objects `value` has; 0 for a scalar. Never recurses."""
    levels, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        levels += 1
        level = [item for held in level for item in (held.values() if isinstance(held, dict) else held)]
    return levels


def checked_number(value: Any) -> Any:
    """`value` itself. Raises: ValueError where a number cannot travel: not finite, or whole and over 64 bits."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("contains NaN or Infinity, which JSON does not have")
    if isinstance(value, int) and not SMALLEST_INT <= value <= LARGEST_INT:
        raise ValueError("contains a whole number of more than 64 bits; write it as text")
    return value


def _encoded(value: Json) -> str:
    try:
        return _ENCODER.encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None


def _refuse_unstorable(value: Json, what: str, place: str = "") -> None:
    """Raises: UnstorableText."""
    if isinstance(value, str) and (fault := fault_in_text(value)):
        raise UnstorableText(what, place, fault)
    if isinstance(value, dict):
        for key, item in value.items():
            if fault := fault_in_text(key):
                raise UnstorableText(what, place, f"has the key {key!r}, which {fault}")
            _refuse_unstorable(item, what, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_unstorable(item, what, f"{place}[{index}]")


def _as_text(text: str | bytes, what: str, largest: int) -> str:
    size = len(text) if isinstance(text, bytes) or len(text) > largest else len(text.encode(errors="surrogatepass"))
    if size > largest:
        raise ValueError(f"{what} has {size:,} bytes; at most {largest:,} are allowed")
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{what} is not UTF-8 text") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"contains the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return mapping


def _whole(digits: str) -> Any:
    return checked_number(int(digits) if len(digits) <= 20 else LARGEST_INT + 1)


def _constant(name: str) -> float:
    raise ValueError(f"contains {name}, which JSON does not have")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_whole,
    parse_float=lambda digits: checked_number(float(digits)),
    parse_constant=_constant,
)
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
