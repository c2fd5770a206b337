"""Readings of the files in workflow folders: what each defines, and which file may define a key. No database here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from qflowd.define import documents
from qflowd.define.task_definitions import TaskDefinition, definition_in, head_of
from qflowd.define.workflow_file import parse_document
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.names import fault_in_key
from qflowd.model.workflow import Workflow
from qflowd.plugins.source import SourceFile

WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of one file. `key` may be known even where the rest is broken; `hash` is of the bytes.

    `head`: the key at its top that says what it describes: workflow, task or task_type.
    """

    path: str
    hash: str = ""
    key: str | None = None
    line: int = 0  # of the key
    error: str | None = None  # all its faults, one a line
    head: str = WORKFLOW
    content: Workflow | TaskDefinition | None = field(default=None, repr=False)


def read(file: SourceFile) -> Reading:
    """The reading of a file's bytes, faults included."""
    head, key, line = WORKFLOW, None, 0
    try:
        document = documents.read(file.data, documents.format_of(file.path), file.path, InvalidWorkflow)
        head = head_of(document.data)
        key, line = _key_in(document.data.get(head)), document.line((head,))
        content = parse_document(document) if head == WORKFLOW else definition_in(document)
        return Reading(file.path, file.hash, key, line, head=head, content=content)
    except InvalidWorkflow as error:
        return Reading(file.path, file.hash, key, line, str(error), head)


def assign(readings: Mapping[str, Reading], owners: Mapping[str, str]) -> tuple[dict[str, Reading], dict[str, str]]:
    """Decide which file defines which key.

    The file that has defined a key so far keeps it as long as it is there, also while it is broken; else the first in
    the order of the folders gets it.

    Args:
        readings: by path.
        owners: key -> path of the file that has defined it so far.

    Returns: key -> the good reading that defines it; path -> error of files that are broken or define what another does.
    """
    holders = {
        key: path
        for key, path in owners.items()
        if (reading := readings.get(path)) is not None and (reading.error is not None or reading.key == key)
    }
    chosen: dict[str, Reading] = {}
    errors: dict[str, str] = {}
    for path, reading in readings.items():
        if reading.error is not None or reading.key is None:
            errors[path] = reading.error or ""
        elif (holder := holders.setdefault(reading.key, path)) == path:
            chosen[reading.key] = reading
        else:
            message = (
                f"{reading.key!r} is already defined by {holder}; choose another key, or remove one of the two files"
            )
            errors[path] = str(Fault(path, reading.line, reading.head, message))
    return chosen, errors


def _key_in(value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and fault_in_key(text) is None else None
