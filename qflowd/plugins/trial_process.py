"""The throw-away process: `python -m qflowd.plugins.trial_process`, request on stdin, messages on stdout.

It imports the user's files and may be ruined by that; the daemon sees which file it was at, and starts another.
"""

import contextlib
import ctypes
import faulthandler
import hashlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from qflowd.jobs import decorators, manifest
from qflowd.jobs.recorded import recorded_job
from qflowd.model.errors import QflowdError
from qflowd.model.jsontext import clean_text
from qflowd.model.workflow import Job
from qflowd.plugins.imports import code_hash, imports_of
from qflowd.plugins.messages import FileFinding, Findings, Importing, Message, TrialRequest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "qflowd.plugins"  # of entry points
_PR_SET_PDEATHSIG = 1
# Files that stand between a plugin and what it imports.
_IMPORTERS = (
    *(each.__file__ for each in (manifest, contextlib)),
    __file__,
    import_module.__code__.co_filename,
    str(Path(import_module.__code__.co_filename).parent / "metadata" / "__init__.py"),
)


def main() -> None:
    """Answer one request."""
    answer_to, trace = os.dup(1), os.dup(2)
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=TrialRequest)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != request.parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")  # if memory ends, this is what may go
    # SIGABRT, too: the daemon sends it to learn where an endless import is.
    faulthandler.enable(file=trace, all_threads=False)

    def send(message: Message) -> None:
        line = msgspec.json.encode(message) + b"\n"
        while line:
            line = line[os.write(answer_to, line) :]

    send(Examination(request, send).run())
    os._exit(0)  # no atexit, no waiting for threads that user code started


class Examination:
    """Imports everything that a request names, and finds out what jobs there are."""

    def __init__(self, request: TrialRequest, send: Callable[[Message], None]) -> None:
        self._manifest = request.manifest
        self._ruinous = request.ruinous
        self._send = send
        self._current = ""
        self._owners: dict[tuple[str, str], str] = {}  # (module, job) -> key of what brought it
        self._codes: dict[str, str] = {}

    def run(self) -> Findings:
        modules = self._manifest.modules
        # Even reading the source may have ruined a process.
        readable = {n: replace(m, source=b"") if m.hash in self._ruinous else m for n, m in modules.items()}
        imports = imports_of(readable, self.begin)
        self._codes = {name: code_hash(name, imports[name], modules) for name in modules}
        self._manifest.install(self._importing)
        errors: dict[str, str] = {}
        for name, module in modules.items():
            if not name.endswith(".__main__"):  # a program, not a module
                errors[name] = self._import(name, partial(import_module, name), module.path)
        for entry in _entry_points():
            key = f"entry point {entry.name} = {entry.value}"
            errors[key] = self._import(key, entry.load)
        jobs = self._jobs(errors)
        return Findings(
            {
                key: FileFinding(tuple(jobs.get(key, ())), error, tuple(imports.get(key, ())))
                for key, error in errors.items()
            }
        )

    def begin(self, key: str) -> str:
        """Say what is imported from now on; returns what it was before."""
        before, self._current = self._current, key
        module = self._manifest.modules.get(key)
        self._send(Importing(self._codes.get(key) or (module.hash if module else key)))
        return before

    @contextlib.contextmanager
    def _importing(self, name: str) -> Iterator[None]:
        """Around each body of a module; refuses what ruined a process before."""
        if (why := self._ruinous.get(self._codes.get(name, ""))) is not None:
            raise ImportError(f"{self._manifest.modules[name].path}: {why}", name=name)
        outer = self.begin(name)
        try:
            yield
        finally:
            self.begin(outer)

    def _import(self, key: str, load: Callable[[], object], path: str = "") -> str:
        """Empty if all went well."""
        if (why := self._ruinous.get(self._codes.get(key, key))) is not None:
            return why
        self.begin(key)
        try:
            load()
        except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
            return describe(error, path)
        finally:
            for spec in decorators.registered():
                self._owners.setdefault((spec.module, spec.name), key)
        return ""

    def _jobs(self, errors: dict[str, str]) -> dict[str, list[Job]]:
        jobs: dict[str, list[Job]] = {}
        for spec in decorators.registered():
            owner = spec.module if spec.module in self._manifest.modules else self._owners[spec.module, spec.name]
            self.begin(owner)  # hints are evaluated, which may run anything
            try:
                job = self._job(spec)
                msgspec.json.encode(job)  # it has to get to the daemon, default values of parameters too
                jobs.setdefault(owner, []).append(job)
            except Exception as error:  # noqa: BLE001 - see above
                what = str(error) if isinstance(error, QflowdError) else f"{type(error).__name__}: {error}"
                errors[owner] = errors[owner] or clean_text(f"line {spec.line}: {what}{_as_a_whole(error)}")
        return jobs

    def _job(self, spec: decorators.JobSpec) -> Job:
        module = self._manifest.modules.get(spec.module)
        file = module.path if module else getattr(sys.modules.get(spec.module), "__file__", None) or spec.file
        return recorded_job(
            spec,
            module=spec.module,
            file=file if module else os.path.abspath(file),  # noqa: PTH100 - links stay
            digest=self._codes[spec.module] if module else _hash_of_package(spec.module, file),
        )


def _entry_points() -> "list[EntryPoint]":
    """The modules that installed packages offer as plugins."""
    if not _may_be_offered():
        return []
    from importlib import metadata

    return sorted(set(metadata.entry_points(group=GROUP)))


def _may_be_offered() -> bool:
    """Whether any installed package, or an archive, may name our group: to import `metadata` takes a third of a trial."""
    try:
        return any(map(_may_offer, map(Path, sys.path)))
    except OSError:  # a folder or file that may not be read: `metadata` knows what to do with it
        return True


def _may_offer(folder: Path) -> bool:
    """Raises: OSError."""
    files = folder.glob("*-[Ii][Nn][Ff][Oo]/entry_points.txt")
    return folder.is_file() or any(GROUP.encode() in file.read_bytes() for file in files)


def _hash_of_package(module: str, file: str) -> str:
    """SHA-256 over the files of an installed package that are imported."""
    top, digest = module.partition(".")[0], hashlib.sha256()
    files = {getattr(each, "__file__", None) for name, each in sys.modules.items() if name.partition(".")[0] == top}
    for each in sorted(filter(None, {file, *files})):
        digest.update(Path(each).read_bytes())
    return digest.hexdigest()


def _as_a_whole(error: BaseException) -> str:
    if not isinstance(error, decorators.InvalidJob):
        return ""
    return "; a file counts as a whole: fix or remove this job, and the file's others come with it"


def describe(error: BaseException, path: str) -> str:
    """One line: where in the file, what, and where else if the fault lies elsewhere."""
    text = str(error).strip()
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    frames = [(file, line) for file, line in frames if not file.startswith("<frozen ") and file not in _IMPORTERS]
    if isinstance(error, SyntaxError) and error.filename:
        text = error.msg
        frames.append((error.filename, error.lineno or 0))
    here = next((line for file, line in reversed(frames) if file == path), 0)
    file, line = frames[-1] if frames else ("", 0)
    if here and isinstance(error, QflowdError):
        file = path  # our own decorator complained: the reader's line is what counts
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    where = f"line {here}: " if here else ""
    elsewhere = f" ({file}, line {line})" if file not in ("", path) else ""
    return clean_text(f"{where}{what}{elsewhere}{_as_a_whole(error)}")


if __name__ == "__main__":
    main()
