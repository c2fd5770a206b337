"""The configuration: read from qflowd.toml (or .yaml, .json), typed, and all its faults reported at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from qflowd.config import readers
from qflowd.config.database_url import compose, resolve
from qflowd.config.records import (
    ApiConfig,
    Config,
    ConnectionConfig,
    ConnectionKeys,
    DaemonConfig,
    DatabaseConfig,
    DatabaseKeys,
    LimitConfig,
    LogConfig,
    PluginsConfig,
    PoolConfig,
    RetentionConfig,
    WaitsConfig,
    WorkflowsConfig,
    read_over,
)
from qflowd.define import documents
from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.model.errors import Fault, InvalidConfig
from qflowd.model.limits import fault_in_limit
from qflowd.model.names import fault_in_key

FILE_VARIABLE: Final = "QFLOWD_CONFIG"
URL_VARIABLE: Final = "QFLOWD_DATABASE_URL"
CONNECTION_VARIABLE: Final = (
    "QFLOWD_CONNECTION_{}_URL"  # of a name in capitals; what is no letter or digit is an underscore
)
LONGEST_DOMAIN: Final = 200  # characters, as of workflows
USUAL_NAMES: Final = ("qflowd.toml", "qflowd.yaml", "qflowd.yml", "qflowd.json")


def load(
    path: Path | None, environ: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Config:
    """The configuration in `path`, else where `QFLOWD_CONFIG` says, else in ./qflowd.toml (.yaml, .json), else defaults.

    `QFLOWD_DATABASE_URL` stands in for the URL in the file, and `QFLOWD_CONNECTION_NAME_URL` for that of a connection. Relative paths, those of SQLite URLs too, begin at the
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
    names = [name for name in USUAL_NAMES if Path(name).is_file()]
    if len(names) > 1:
        message = f"{' and '.join(names)} are both here; keep one, or set {FILE_VARIABLE}"
        raise InvalidConfig([Fault(names[0], 0, "", message)])
    return Path(names[0]) if names else None


def _read(document: Document, folder: Path, file: Path | None, environ: Mapping[str, str]) -> Config:
    top = Fields.of(document)
    daemon = read_over(DaemonConfig(), top.section("daemon"))
    plugins = read_over(PluginsConfig(), top.section("plugins"))
    workflows = read_over(WorkflowsConfig(), top.section("workflows"))
    waits = read_over(WaitsConfig(), top.section("waits"))
    config = Config(
        file=file,
        folder=folder,
        database=_database(top, folder, environ),
        daemon=replace(daemon, run_dir=daemon.run_dir and folder / daemon.run_dir),
        pools=_pools(top),
        domains=_domains(top),
        limits=_limits(top),
        plugins=replace(plugins, dirs=_under(folder, plugins.dirs)),
        workflows=replace(workflows, dirs=_under(folder, workflows.dirs)),
        waits=replace(waits, folders=_under(folder, waits.folders)),
        connections=_connections(top, folder, environ),
        log=read_over(LogConfig(), top.section("log")),
        retention=read_over(RetentionConfig(), top.section("retention")),
        api=_api(top, folder),
    )
    top.close()
    if top.faults:
        raise InvalidConfig(top.faults)
    return config


def _section_of(document: Document, name: str) -> Mapping[str, Any]:
    section = document.data.get(name)
    # A database in `settings` replaces the whole section of the file: a URL and parts do not mix.
    return section if isinstance(section, Mapping) and name != "database" else {}


def _pools(top: Fields) -> dict[str, PoolConfig]:
    pools = {"default": PoolConfig(processes=max(2, len(os.sched_getaffinity(0))))}
    for name, fields in top.section("pools").sections():
        if fault := fault_in_key(name, "pool name"):
            fields.fault(fault)
        pools[name] = read_over(pools.get(name, PoolConfig()), fields)
    return pools


def _api(top: Fields, folder: Path) -> ApiConfig:
    section = top.section("api")
    api = read_over(ApiConfig(), section)
    if fault := api.fault():
        section.fault(fault)
    return replace(api, tls_cert=api.tls_cert and folder / api.tls_cert, tls_key=api.tls_key and folder / api.tls_key)


def _domains(top: Fields) -> dict[str, str]:
    section = top.section("domains")
    for name in section.data:
        if not name or len(name) > LONGEST_DOMAIN:
            section.fault(f"a domain has 1 to {LONGEST_DOMAIN} characters", name)
    return {name: section.take(name, readers.name("pool name"), "") for name in section.data}


def _limits(top: Fields) -> dict[str, LimitConfig]:
    section = top.section("limits")
    slots = {name: {"slots": value} for name, value in section.data.items() if not isinstance(value, dict)}
    limits = {}
    for name, fields in Fields(section.document, section.path, {**section.data, **slots}, section.faults).sections():
        if fault := fault_in_limit(name, may_be_pattern=True):
            fields.fault(fault)
        limits[name] = read_over(LimitConfig(), fields)
    return limits


def connection_variable(name: str) -> str:
    """The environment variable that stands in for the URL of a connection."""
    return CONNECTION_VARIABLE.format(re.sub("[^A-Za-z0-9]", "_", name).upper())


def _connections(top: Fields, folder: Path, environ: Mapping[str, str]) -> dict[str, ConnectionConfig]:
    connections, named = {}, dict[str, str]()
    for name, fields in top.section("connections").sections():
        if fault := fault_in_key(name, "name of a connection"):
            fields.fault(fault)
        variable = connection_variable(name)
        if variable in named:
            fields.fault(
                f"has the variable {variable} in common with connection {named[variable]!r}; rename one of them"
            )
        named[variable] = name
        if not fields.data.keys() - {"tenants"} and not environ.get(variable):
            fields.fault(f"names no database: give url, or kind with its parts, or set {variable}")
        keys = asdict(read_over(ConnectionKeys(), fields))
        tenants = keys.pop("tenants")
        connections[name] = ConnectionConfig(
            _url(top, fields, keys, folder, (variable, environ.get(variable))), tenants
        )
    return connections


def _database(top: Fields, folder: Path, environ: Mapping[str, str]) -> DatabaseConfig:
    fields = top.section("database")
    keys = asdict(read_over(DatabaseKeys(), fields))
    return DatabaseConfig(_url(top, fields, keys, folder, (URL_VARIABLE, environ.get(URL_VARIABLE))))


def _url(top: Fields, fields: Fields, keys: Mapping[str, Any], folder: Path, override: tuple[str, str | None]) -> str:
    """The URL of a section with these `keys`. `override`: a variable, and the URL in it, which stands in for that; "" for a fault."""
    variable, url = override
    try:
        return resolve(url or compose(keys), folder)
    except ValueError as error:
        if url:
            top.faults.append(Fault(variable, 0, "", str(error)))
        else:
            fields.fault(str(error), *(["url"] if "url" in fields.data else []))
        return ""


def _under(folder: Path, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple([folder / path for path in paths])
