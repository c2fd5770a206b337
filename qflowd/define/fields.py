"""Fields: typed keys read out of a document; every fault is noted, so that all are reported at once."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, TypeVar

from qflowd.define.documents import Document
from qflowd.define.key_paths import KeyPath, dotted
from qflowd.define.readers import Reader, mapping
from qflowd.model.errors import Fault
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Json

MOST_FAULTS: Final = 200  # more do not help, and take time to collect

T = TypeVar("T")


class Fields:
    """One mapping inside a document. Keys that are not taken are faults when `close` is called."""

    def __init__(self, document: Document, path: KeyPath, data: Mapping[str, Json], faults: list[Fault]) -> None:
        self.document = document
        self.path = path
        self.data = data
        self.faults = faults
        self._known: set[str] = set()
        self._is_faulty = False  # stands for something that was no mapping: its keys are not missed

    @classmethod
    def of(cls, document: Document) -> "Fields":
        """The top of `document`, with an empty list of faults."""
        return cls(document, (), document.data, [])

    def take(self, key: str, read: Reader[T], default: T) -> T:
        """The value of `key` as `read` understands it; `default` where it is missing, null or faulty."""
        is_first_time = key not in self._known
        self._known.add(key)
        value = self.data.get(key)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as error:
            if is_first_time:
                self.fault(str(error), key)
            return default

    def need(self, key: str, read: Reader[T], default: T) -> T:
        """As `take`; a missing key is a fault."""
        if self.data.get(key) is None and not self._is_faulty:
            self.fault("is missing", key)
        return self.take(key, read, default)

    def section(self, key: str) -> "Fields":
        """The mapping under `key`; an empty one where it is missing or something else."""
        section = Fields(self.document, (*self.path, key), self.take(key, mapping, {}), self.faults)
        section._is_faulty = not isinstance(self.data.get(key), dict | None)
        return section

    def sections(self) -> Iterator[tuple[str, "Fields"]]:
        """Every key of this mapping with the mapping below it; all keys count as taken."""
        for key in self.data:
            yield key, self.section(key)

    @property
    def is_full(self) -> bool:
        """Whether enough faults are noted; looking for more is of no use."""
        return len(self.faults) >= MOST_FAULTS

    def fault(self, message: str, *steps: str | int, kind: type[Fault] = Fault) -> None:
        """Note a fault of the key at `steps` below this mapping, or of the mapping itself."""
        if self.is_full:
            return
        path = (*self.path, *steps)
        self.faults.append(kind(self.document.file, self.document.line(path), dotted(path), message))

    def close(self, later: Collection[str] = ()) -> None:
        """Fault every key that was not taken; those in `later` as not supported yet."""
        for key in self.data:
            if key in self._known:
                continue
            if self.is_full:
                return
            if key in later:
                self.fault("is not supported yet", key)
            else:
                self.fault("unknown key" + did_you_mean(key, self._known), key)
