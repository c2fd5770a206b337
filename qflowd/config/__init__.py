"""The configuration: read from qflowd.toml (or .yaml, .json), typed, and all its faults reported at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qflowd.config.database_url import compose, resolve
from qflowd.config.keys import POOL_KEYS, SECTIONS, Key, cores
from qflowd.config.keys import reference as reference
from qflowd.config.records import (
    Config,
    DaemonConfig,
    DatabaseConfig,
    LogConfig,
    PluginsConfig,
    PoolConfig,
    WorkflowsConfig,
)
from qflowd.define import documents
from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.model.errors import Fault, InvalidConfig
from qflowd.model.names import fault_in_key

FILE_VARIABLE: Final = "QFLOWD_CONFIG"
URL_VARIABLE: Final = "QFLOWD_DATABASE_URL"
USUAL_NAMES: Final = ("qflowd.toml", "qflowd.yaml", "qflowd.yml", "qflowd.json")


def load(
    path: Path | None, environ: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Config:
    """The configuration in `path`, else where `QFLOWD_CONFIG` says, else in ./qflowd.toml (.yaml, .json), else defaults.

    `QFLOWD_DATABASE_URL` stands in for the URL in the file. Relative paths, those of SQLite URLs too, begin at the
    folder of the file; without a file at the current folder. `settings`: sections as in a file, whose keys win over it.

    Raises: InvalidConfig with every fault.
    """
    file = path or find(environ)
    document = documents.read_file(file.absolute(), InvalidConfig, may_be_empty=True) if file else Document({})
    folder = file.absolute().parent if file else Path.cwd()
    if settings:
        given = {name: {**_section_of(document, name), **section} for name, section in settings.items()}
        document = Document({**document.data, **given}, document.file or "settings", document.lines)
    return _read(document, folder, file.absolute() if file else None, environ)


def from_settings(settings: Mapping[str, Mapping[str, Any]]) -> Config:
    """The configuration that `settings` alone make: sections as in a file; relative paths begin at the current folder.

    Raises: InvalidConfig with every fault.
    """
    return _read(Document(dict(settings), "settings"), Path.cwd(), None, {})


def find(environ: Mapping[str, str]) -> Path | None:
    """The file that `load` would read without a path; None if there is none.

    Raises: InvalidConfig if two of the usual names are there.
    """
    if named := environ.get(FILE_VARIABLE):
        return Path(named).expanduser()
    found = [name for name in USUAL_NAMES if Path(name).is_file()]
    if len(found) > 1:
        message = f"{' and '.join(found)} are both here; keep one, or set {FILE_VARIABLE}"
        raise InvalidConfig([Fault(found[0], 0, "", message)])
    return Path(found[0]) if found else None


def _read(document: Document, folder: Path, file: Path | None, environ: Mapping[str, str]) -> Config:
    top = Fields.of(document)
    daemon = _section(top, "daemon")
    plugins = _section(top, "plugins")
    workflows = _section(top, "workflows")
    config = Config(
        file=file,
        folder=folder,
        database=_database(top, folder, environ),
        daemon=DaemonConfig(**{**daemon, "run_dir": daemon["run_dir"] and folder / daemon["run_dir"]}),
        pools=_pools(top),
        plugins=PluginsConfig(**{**plugins, "dirs": _under(folder, plugins["dirs"])}),
        workflows=WorkflowsConfig(dirs=_under(folder, workflows["dirs"])),
        log=LogConfig(**_section(top, "log")),
    )
    top.close()
    if top.faults:
        raise InvalidConfig(top.faults)
    return config


def _section_of(document: Document, name: str) -> Mapping[str, Any]:
    found = document.data.get(name)
    # A database that is given stands in for all that the file says of one: a URL and parts do not mix.
    return found if isinstance(found, Mapping) and name != "database" else {}


def _section(top: Fields, name: str) -> dict[str, Any]:
    return _values(top.section(name), SECTIONS[name])


def _values(fields: Fields, keys: tuple[Key, ...]) -> dict[str, Any]:
    values = {key.name: fields.take(key.name, key.read, key.default) for key in keys}
    fields.close()
    return values


def _pools(top: Fields) -> dict[str, PoolConfig]:
    pools = {"default": PoolConfig(processes=max(2, cores()))}
    for name, fields in top.section("pools").sections():
        if fault := fault_in_key(name, "pool name"):
            fields.fault(fault)
        values = _values(fields, POOL_KEYS)
        processes = values["processes"] or (pools[name].processes if name in pools else 1)
        pools[name] = PoolConfig(processes, values["threads"])
    return pools


def _database(top: Fields, folder: Path, environ: Mapping[str, str]) -> DatabaseConfig:
    fields = top.section("database")
    values = _values(fields, SECTIONS["database"])
    override = environ.get(URL_VARIABLE)
    try:
        return DatabaseConfig(resolve(override or compose(values), folder))
    except ValueError as problem:
        if override:
            top.faults.append(Fault(URL_VARIABLE, 0, "", str(problem)))
        else:
            fields.fault(str(problem), *(["url"] if "url" in fields.data else []))
        return DatabaseConfig("")


def _under(folder: Path, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple([folder / path for path in paths])
