"""`context().spawn()`: tasks that a running job asks for. They are made when it succeeds, and never otherwise."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from qflowd.define.settings import SETTINGS
from qflowd.model.jsontext import clean_text
from qflowd.model.plain import plain
from qflowd.model.workflow import MOST_SPAWNED, Json, Settings

LARGEST_SPAWN: Final = 4 << 20  # bytes of JSON: all that one attempt spawns
LONGEST_NAME: Final = 100  # characters


class SpawnCall(msgspec.Struct, frozen=True, array_like=True):
    """One call. `after`: the places of earlier ones that it waits for."""

    job: str
    name: str
    params: dict[str, Json]
    after: list[int]
    settings: Settings


class SpawnedTask:
    """A task that the running attempt has asked for: another one may come `after` it. `name`: what people call it."""

    __slots__ = ("_place", "_spawns", "name")

    def __init__(self, spawns: "Spawns", place: int, name: str) -> None:
        self._spawns, self._place, self.name = spawns, place, name

    def place_in(self, spawns: "Spawns") -> int | None:
        """Where it stands among these; None if another attempt asked for it."""
        return self._place if self._spawns is spawns else None

    def __repr__(self) -> str:
        return f"<spawned task {self.name}>"


class Spawns:
    """What one attempt has asked for so far. Threads of the job may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._texts: list[bytes] = []
        self._size = 0

    def add(
        self,
        job: Any,
        params: Mapping[str, Any] | None,
        after: SpawnedTask | Iterable[SpawnedTask],
        name: str | None,
        settings: Mapping[str, Any],
    ) -> SpawnedTask:
        """Raises: TypeError, ValueError; see `Context.spawn`."""
        key, given, places, checked = _job_name(job), _params(params), self._places(after), _settings(settings)
        with self._lock:
            place = len(self._texts)
            name = f"{key}.{place}" if name is None else _name(name)
            if name in self._names:
                raise ValueError(f"spawn() was called for two tasks named {name!r}; give each its own name")
            text = _encode(SpawnCall(key, name, given, places, checked))
            if place >= MOST_SPAWNED:
                raise ValueError(f"spawn() was called more than {MOST_SPAWNED:,} times by one attempt (MOST_SPAWNED)")
            if self._size + len(text) > LARGEST_SPAWN:
                raise ValueError(
                    f"spawn() takes at most {LARGEST_SPAWN:,} bytes of JSON (LARGEST_SPAWN) from one attempt, all tasks "
                    "together; put large values where the tasks can read them"
                )
            self._size += len(text) + 1
            self._names.add(name)
            self._texts.append(text)
        return SpawnedTask(self, place, name)

    def text(self) -> str | None:
        """A JSON list of `SpawnCall`; None if no call was granted."""
        if not self._texts:
            return None
        return clean_text(f"[{b','.join(self._texts).decode()}]")

    def _places(self, after: SpawnedTask | Iterable[Any]) -> list[int]:
        places = set()
        for task in [after] if isinstance(after, SpawnedTask | str) else after:
            place = task.place_in(self) if isinstance(task, SpawnedTask) else None
            if place is None:
                raise TypeError(f"spawn(after=…) takes what spawn() returned in the same attempt, not {task!r}")
            places.add(place)
        return sorted(places)


def read_calls(text: str) -> list[SpawnCall]:
    """Back from `Spawns.text`."""
    return _decode(text)


_decode = msgspec.json.Decoder(list[SpawnCall]).decode


def _encode(call: SpawnCall) -> bytes:
    try:
        return msgspec.json.encode(call)
    except ValueError as error:  # lone surrogates
        raise TypeError(f"spawn() takes JSON values as params: {error}") from None


def _job_name(job: Any) -> str:
    name = getattr(getattr(job, "__qflowd_job__", None), "name", job)
    if not isinstance(name, str):
        raise TypeError(f"spawn() takes a job or its name, not {job!r}; put @job above the function")
    return name


def _params(params: Mapping[str, Any] | None) -> dict[str, Json]:
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise TypeError(f"spawn() takes params as a dict, not {type(params).__name__}")
    return dict(plain(params, "params"))


def _name(name: Any) -> str:
    text = clean_text(name) if isinstance(name, str) else ""
    if not text or len(text) > LONGEST_NAME or set(text) & {"[", "]"} or not text.isprintable():
        raise ValueError(
            f"spawn(name={name!r}): a name is 1 to {LONGEST_NAME} printable characters other than brackets"
        )
    return text


def _settings(given: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for key, value in given.items():
        if (read := SETTINGS.get(key)) is None:
            raise TypeError(f"spawn() has no setting {key!r}; there are {', '.join(SETTINGS)}")
        if value is None:
            continue
        try:
            values[key] = read(value)
        except ValueError as error:
            raise ValueError(f"spawn({key}={value!r}): {error}") from None
    return Settings(**values)
