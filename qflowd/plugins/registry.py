"""The jobs that this daemon knows, and how a change of the folders becomes the next registry. Nothing is run here."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from qflowd.jobs.manifest import Manifest
from qflowd.model.workflow import Job
from qflowd.plugins.messages import FileFinding, Findings
from qflowd.plugins.module_names import modules_of
from qflowd.plugins.source import Scan, SourceFile, fault_in_name

_Needs = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Registry:
    """A set of files that were imported together, and the jobs they define. Never changed, only replaced.

    `errors`: path of a file or folder, or label of an entry point -> why its present content is not in use,
    or which of its jobs are not. `sources`: the content in use, by path. `imports`: path -> paths that it needs.
    """

    jobs: Mapping[str, Job] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    sources: Mapping[str, SourceFile] = field(default_factory=dict)
    imports: _Needs = field(default_factory=dict)

    def jobs_of(self, path: str) -> tuple[Job, ...]:
        """Jobs that the file at `path` defines."""
        return tuple(job for job in self.jobs.values() if job.file == path)


class Change:
    """A change of the folders on its way: try `manifest()`, `judge` the findings, and again until there is a registry.

    A file that cannot be imported keeps its last good content, or is left out if it has none; every other file is live.
    Content that was good, and is not any more, means that what it imports has changed in a way it cannot live with:
    then that keeps its last good content as well, also if it was deleted.
    """

    def __init__(self, last: Registry, scan: Scan) -> None:
        self._last = last
        self._scan = scan
        self._errors = dict(scan.errors)
        self._reasons: dict[str, str] = {}  # path -> its first error; later ones may come of what was left out
        self._files: dict[str, SourceFile] = {}
        for path, file in scan.files.items():
            if (fault := fault_in_name(file)) is None:
                self._files[path] = file
            else:
                self._errors[path] = fault
        for path, file in last.sources.items():
            if path in self._errors or scan.is_faulty(path):
                self._files[path] = file

    def manifest(self) -> Manifest:
        """What is to be tried next."""
        modules = modules_of(self._scan.sorted(self._files.values()).values())
        self._tried = Manifest(modules, tuple(filter(None, sys.path)))
        return self._tried

    def judge(self, findings: Findings) -> Registry | None:
        """The registry; None if the files are to be tried again, some of them as they were or left out."""
        tried, needs = self._by_path(findings)
        bad = {path: finding.error for path, finding in tried.items() if finding.error}
        self._reasons = bad | self._reasons
        if suspects := self._suspects(bad, needs):
            for path in suspects:
                self._errors[path] = self._reasons.get(path) or self._why_held_back(path, sorted(bad))
                self._put_back(path)
            return None
        self._errors |= bad  # it is as it was, and so is what it imports: it stays
        defined = {path: self._last.jobs_of(path) if path in bad else finding.jobs for path, finding in tried.items()}
        installed = {key: finding for key, finding in findings.found.items() if key not in self._tried.modules}
        defined |= {key: finding.jobs for key, finding in installed.items()}
        self._errors |= {key: finding.error for key, finding in installed.items() if finding.error}
        return Registry(self._by_name(defined), self._errors, self._tried, self._files, needs)

    def _by_path(self, findings: Findings) -> tuple[dict[str, FileFinding], _Needs]:
        """The finding of each file, and which files it needs."""
        paths = {name: module.path for name, module in self._tried.modules.items() if module.path in self._files}
        tried = {path: findings.found[name] for name, path in paths.items() if name in findings.found}
        needs = {p: frozenset(paths[name] for name in f.imports if name in paths) for p, f in tried.items()}
        return tried, needs

    def _suspects(self, bad: Mapping[str, str], imports: _Needs) -> set[str]:
        """Files whose change must be the reason. None: what is bad now has not changed, nor has what it imports."""
        new = {path for path in bad if self._is_new(path)}
        if new:
            return {path for path in new if not imports[path] & new - {path}} or new
        self._errors |= bad
        needed = {path for each in bad for path in imports[each] | self._last.imports.get(each, frozenset())}
        return {path for path in needed if self._is_new(path) or path not in self._files}

    def _is_new(self, path: str) -> bool:
        """Is this content not the last good one?"""
        last, now = self._last.sources.get(path), self._files.get(path)
        return now is not None and (last is None or last.hash != now.hash)

    def _put_back(self, path: str) -> None:
        if path in self._last.sources:
            self._files[path] = self._last.sources[path]
        else:
            del self._files[path]

    def _why_held_back(self, path: str, bad: list[str]) -> str:
        if path not in self._files:
            return f"deleted, but kept as it was: without it {', '.join(bad)} cannot be imported"
        return f"held back: together with its new content {', '.join(bad)} cannot be imported"

    def _by_name(self, defined: Mapping[str, tuple[Job, ...]]) -> dict[str, Job]:
        """`defined`: path or label -> its jobs, in the order in which they win a name."""
        jobs: dict[str, Job] = {}
        for owner, job in ((owner, job) for owner, each in defined.items() for job in each):
            first = jobs.setdefault(job.name, job)
            if first is not job:
                note_duplicate(self._errors, owner, first)
        return jobs


def note_duplicate(errors: dict[str, str], owner: str, first: Job) -> None:
    """Add to the errors of `owner` (a path or label) that a job of its has the name of `first`."""
    text = f"job {first.name!r} is already defined by {first.file}; rename one of them"
    errors[owner] = f"{errors[owner]}; {text}" if owner in errors else text
