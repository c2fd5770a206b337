"""The jobs that this daemon knows, and how a new look at the folders becomes the next registry.

`advance` decides and does nothing itself: it yields what is to be tried and is sent what was found.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from qflowd.jobs.manifest import EntryPoint, Manifest, Module
from qflowd.model.workflow import Job
from qflowd.plugins.findings import ENTRY_POINT, IMPORT_TIMEOUT_S, Finding, Findings, Request, label
from qflowd.plugins.layout import modules_of
from qflowd.plugins.source import Scan, SourceFile, fault_in_python

Sources = dict[str, SourceFile]
MayEmpty = Callable[[SourceFile], bool]


@dataclass(frozen=True, slots=True)
class Registry:
    """A set of files that were imported together, and the jobs they define. Never changed, only replaced.

    `errors`: path of a file or folder, or label of an entry point -> why its present content is not in use,
    or which of its jobs are not. `sources`: the content in use, by path. `culprits`: path -> hash of content
    that took the process down. `put_off`: paths whose content has had too little time so far.
    """

    jobs: Mapping[str, Job] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    sources: Mapping[str, SourceFile] = field(default_factory=dict)
    culprits: Mapping[str, str] = field(default_factory=dict)
    put_off: frozenset[str] = frozenset()
    generation: str = ""

    def jobs_of(self, path: str) -> list[Job]:
        """Jobs that the file at `path` defines, by name."""
        return sorted((job for job in self.jobs.values() if job.file == path), key=lambda job: job.name)

    def looks_like(self, other: "Registry") -> bool:
        """Nobody could tell the two apart."""
        return (self.generation, dict(self.jobs), dict(self.errors)) == (
            other.generation,
            dict(other.jobs),
            dict(other.errors),
        )


@dataclass(slots=True)
class _Tried:
    """A set of files after its trial."""

    sources: Sources
    manifest: Manifest
    found: Mapping[str, Finding]
    bad: dict[str, str]  # path -> error

    @property
    def entry_points(self) -> tuple[EntryPoint, ...]:
        return self.manifest.entry_points

    def by_path(self) -> Iterator[tuple[str, Finding]]:
        """What was found of each file."""
        for name, module in self.manifest.modules.items():
            if name in self.found and module.path in self.sources:
                yield module.path, self.found[name]

    def survivors(self) -> dict[str, Module]:
        """What was imported together in the end: all but culprits."""
        modules = self.manifest.modules.items()
        return {name: module for name, module in modules if not self.found.get(name, Finding()).is_culprit}


@dataclass(frozen=True, slots=True)
class Advance:
    """One step from `old` to the next registry.

    `skip_culprits`: leave out content that is known to take the process down. `may_empty` says whether a file that
    defines no job any more is meant so. `discover`: look for entry points anew. `hurry`: put off new content that takes
    long, so that the rest need not wait for it.
    """

    old: Registry
    scan: Scan
    import_path: tuple[str, ...] = ()
    salt: str = ""
    discover: bool = False
    skip_culprits: bool = False
    timeout_s: float = IMPORT_TIMEOUT_S
    may_empty: MayEmpty = lambda _file: True
    hurry: bool = False

    def steps(self) -> Generator[Request, Findings, Registry]:
        """Yields what to try, is sent the findings, returns the registry.

        A file that fails keeps its last good content; where that does not go together with what is new, all
        files keep theirs; what is new and fails is left out.
        """
        errors = dict(self.scan.errors)
        wanted, unreadable = self._wanted()
        errors |= unreadable
        tried = yield from self._try(wanted, self.old.manifest.entry_points, discover=self.discover)
        culprits = self._culprits(tried) | (dict(self.old.culprits) if self.skip_culprits else {})
        put_off = frozenset(path for path, finding in tried.by_path() if finding.is_put_off)
        if tried.bad:
            errors |= {path: text for path, text in tried.bad.items() if self._has_changed(path, wanted)}
            mixture = self._with_last_good(wanted, tried.bad)
            second = tried
            manifest = _manifest(mixture, tried.manifest)
            if not tried.bad.keys() & mixture.keys() and manifest.modules == tried.survivors():
                second = _Tried(mixture, manifest, tried.found, {})
            elif _hashes(mixture) != _hashes(wanted):
                second = yield from self._try(mixture, tried.entry_points)
            if second.bad:
                second = yield from self._all_as_before(wanted, tried, second, errors)
            tried = second
        return self._registry(tried, errors, culprits, put_off)

    def _all_as_before(
        self, wanted: Sources, first: _Tried, second: _Tried, errors: dict[str, str]
    ) -> Generator[Request, Findings, _Tried]:
        """The last good content of every file, and new files that fail nowhere."""
        errors |= {path: text for path, text in first.bad.items() if path not in errors}
        as_before = {path: self.old.sources.get(path, file) for path, file in wanted.items()}
        for path in {*first.bad, *second.bad} - set(self.old.sources):
            as_before.pop(path, None)
        last = yield from self._try(as_before, first.entry_points)
        for path, file in wanted.items():
            if path in as_before and as_before[path].hash != file.hash and path not in errors:
                culprits = ", ".join(sorted(second.bad))
                errors[path] = f"held back: together with its new content {culprits} cannot be imported"
        errors |= last.bad
        sources = {path: file for path, file in last.sources.items() if path not in last.bad}
        return _Tried(sources, _manifest(sources, last.manifest), last.found, {})

    def _wanted(self) -> tuple[Sources, dict[str, str]]:
        """The files as they are, with the last good content of those that cannot be read or are skipped."""
        errors: dict[str, str] = {}
        wanted: Sources = {}
        for path, file in self.scan.files.items():
            fault = fault_in_python(file)
            if fault is None and self.skip_culprits and self.old.culprits.get(path) == file.hash:
                fault = self.old.errors.get(path, "it took down the process that imported it")
            if fault is None:
                wanted[path] = file
            else:
                errors[path] = fault
        for path, file in self.old.sources.items():
            if path not in wanted and (path in errors or self.scan.is_faulty(path)):
                wanted[path] = file
        return self.scan.sorted(wanted.values()), errors

    def _try(
        self, sources: Sources, entry_points: tuple[EntryPoint, ...], *, discover: bool = False
    ) -> Generator[Request, Findings, _Tried]:
        manifest = Manifest(modules_of(sources.values()), entry_points, self.import_path, self.salt)
        findings = yield Request(manifest, discover, self.timeout_s, hurried=self._hurried(manifest))
        manifest = msgspec.structs.replace(manifest, entry_points=findings.entry_points)
        bad = {
            module.path: findings.found[name].error
            for name, module in manifest.modules.items()
            if name in findings.found and findings.found[name].error and module.path in sources
        }
        named = {job.name for finding in findings.found.values() for job in finding.jobs}
        for name, module in manifest.modules.items():
            finding = findings.found.get(name)
            if finding is not None and not finding.jobs and module.path in sources and module.path not in bad:
                had = {job.name for job in self.old.jobs_of(module.path)}
                if had - named and not self.may_empty(sources[module.path]):
                    bad[module.path] = f"no longer defines {', '.join(sorted(had - named))}; waiting whether that stays"
        return _Tried(sources, manifest, findings.found, bad)

    def _culprits(self, tried: _Tried) -> dict[str, str]:
        return {path: tried.sources[path].hash for path, finding in tried.by_path() if finding.is_culprit}

    def _hurried(self, manifest: Manifest) -> frozenset[str]:
        """What has proved good may take its time: it is in use, and would be withdrawn."""
        if not self.hurry:
            return frozenset()
        good = _hashes(self.old.sources)
        return frozenset(name for name, module in manifest.modules.items() if good.get(module.path) != module.hash)

    def _has_changed(self, path: str, wanted: Sources) -> bool:
        old = self.old.sources.get(path)
        return old is None or old.hash != wanted[path].hash

    def _with_last_good(self, wanted: Sources, bad: Iterable[str]) -> Sources:
        mixture = dict(wanted)
        for path in bad:
            if path in self.old.sources:
                mixture[path] = self.old.sources[path]
            else:
                del mixture[path]
        return mixture

    def _registry(
        self, tried: _Tried, errors: dict[str, str], culprits: Mapping[str, str], put_off: frozenset[str]
    ) -> Registry:
        jobs: dict[str, Job] = {}
        keys = {name: module.path for name, module in tried.manifest.modules.items()}
        keys |= {label(entry): label(entry) for entry in tried.entry_points}
        for key, path in keys.items():
            finding = tried.found.get(key, Finding())
            if finding.error:
                errors.setdefault(path, finding.error)
                continue
            for job in finding.jobs:
                first = jobs.setdefault(job.name, job)
                if first is not job:
                    text = f"job {job.name!r} is already defined by {first.file}; rename one of them"
                    errors[path] = f"{errors[path]}; {text}" if path in errors else text
        manifest = self._without_culprits(tried, errors)
        return Registry(jobs, errors, manifest, tried.sources, culprits, put_off, manifest.generation)

    def _without_culprits(self, tried: _Tried, errors: dict[str, str]) -> Manifest:
        """An installed plugin that takes the process down is not tried again before the next reload."""
        left = tuple(e for e in tried.entry_points if not tried.found.get(label(e), Finding()).is_culprit)
        if not self.discover:
            errors |= {key: text for key, text in self.old.errors.items() if key.startswith(ENTRY_POINT)}
        return msgspec.structs.replace(tried.manifest, entry_points=left)


def _hashes(sources: Mapping[str, SourceFile]) -> dict[str, str]:
    return {path: file.hash for path, file in sources.items()}


def _manifest(sources: Sources, like: Manifest) -> Manifest:
    return msgspec.structs.replace(like, modules=modules_of(sources.values()))
