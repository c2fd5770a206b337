"""Importing everything of a manifest, in a process that may be ruined by it, and telling what jobs there are."""

import hashlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType

from qflowd.jobs import decorators, signature
from qflowd.jobs.manifest import Manifest
from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Job
from qflowd.plugins.findings import Finding, label


def import_all(manifest: Manifest, begin: Callable[[str], None]) -> dict[str, Finding]:
    """Import each module, then each entry point. `begin` hears the name of what comes next."""
    manifest.install()
    errors: dict[str, str] = {}
    owners: dict[tuple[str, str], str] = {}  # (module, job) -> key of what brought it
    for name, module in manifest.modules.items():
        if name.endswith(".__main__"):
            continue  # a program, not a module
        begin(name)
        errors[name] = _import(name, module.path)
        _claim(owners, name)
    for entry in manifest.entry_points:
        begin(label(entry))
        errors[label(entry)] = _import(entry.module, "", entry.value.partition(":")[2].strip())
        _claim(owners, label(entry))
    jobs: dict[str, list[Job]] = {}
    for spec in decorators.registered():
        owner = spec.module if spec.module in manifest.modules else owners[spec.module, spec.name]
        begin(owner)
        try:
            jobs.setdefault(owner, []).append(_job(spec, manifest))
        except (QflowdError, OSError) as error:
            errors[owner] = errors[owner] or f"line {spec.line}: {error}"
    return {key: Finding(tuple(jobs.get(key, ())), error) for key, error in errors.items()}


def _claim(owners: dict[tuple[str, str], str], key: str) -> None:
    for spec in decorators.registered():
        owners.setdefault((spec.module, spec.name), key)


def _import(name: str, path: str, attribute: str = "") -> str:
    """Empty if all went well."""
    try:
        found: object = import_module(name)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
        return describe(error, path)
    return ""


def describe(error: BaseException, path: str) -> str:
    """One line: where in the file, what, and where else if the fault lies elsewhere."""
    text = str(error).strip()
    if isinstance(error, SyntaxError) and error.filename:
        text = error.msg
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    here, last = _lines(error.__traceback__, path)
    if isinstance(error, SyntaxError) and error.filename:
        last = (error.filename, error.lineno or 0)
        here = last[1] if error.filename == path else here
    elif here and last[0] != path and isinstance(error, QflowdError):
        last = (path, here)  # our own decorator complained: the reader's line is what counts
    where = f"line {here}: " if here else ""
    elsewhere = f" ({last[0]}, line {last[1]})" if last[0] and last[0] != path else ""
    return f"{where}{what}{elsewhere}"


def _lines(traceback: TracebackType | None, path: str) -> tuple[int, tuple[str, int]]:
    """The last line of `path` on the way to the error, and the last line of all that is no part of Python's importer."""
    here, last = 0, ("", 0)
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file == path:
            here = traceback.tb_lineno
        if not file.startswith("<frozen ") and file not in (__file__, import_module.__code__.co_filename):
            last = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return here, last


def _job(spec: decorators.JobSpec, manifest: Manifest) -> Job:
    known = manifest.modules.get(spec.module)
    if known is not None:
        file, digest = known.path, known.hash
    else:
        file = os.path.abspath(getattr(sys.modules.get(spec.module), "__file__", None) or spec.file)  # noqa: PTH100
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return Job(
        name=spec.name,
        module=spec.module,
        file=file,
        hash=digest,
        title=spec.title,
        doc=spec.doc,
        params_schema=signature.params_schema(spec.function),
        settings=spec.settings,
    )
