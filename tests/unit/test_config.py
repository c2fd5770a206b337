"""Configuration: three formats, defaults, environment, and all faults at once."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from qflowd.config import find, load
from qflowd.model.errors import InvalidConfig

CORES = len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults(text, name="qflowd.toml", environ=None):
    Path(name).write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load(Path(name), environ or {})
    return [f"{fault.line} {fault.key}: {fault.message}" for fault in caught.value.faults]


def config(text, name="qflowd.toml"):
    Path(name).write_text(text)
    return load(Path(name), {})


def test_without_a_file_defaults_hold(folder):
    found = load(None, {})
    assert found.file is None
    assert found.folder == folder
    assert found.database.url == f"sqlite:///{folder}/qflow.db"
    assert (found.daemon.name, found.daemon.lease, found.daemon.grace) == (socket.gethostname(), 30.0, 10.0)
    assert found.daemon.timeout is None
    assert list(found.pools) == ["default"]
    assert found.pools["default"].processes == max(2, CORES)
    assert found.pools["default"].threads == 1
    assert found.plugins.dirs == (folder / "plugins",)
    assert found.workflows.dirs == (folder / "workflows",)
    assert found.waits.folders == ()
    assert (found.log.format, found.log.level) == ("auto", "info")


@pytest.mark.parametrize("name", ["qflowd.toml", "qflowd.yaml", "qflowd.json"])
@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_means_all_defaults(folder, name, text):
    defaults = load(None, {})
    assert config(text, name) == replace(defaults, file=folder / name)


def test_three_formats_say_the_same():
    toml = """
[database]
url = "sqlite:///data/q.db"
[daemon]
name = "a"
lease = "5s"
timeout = "1h"
run_dir = "run"
[pools.io]
threads = 16
[pools.default]
threads = 2
[plugins]
dirs = ["p", "/opt/p"]
enable = ["shell"]
env = ["TUSHARE_TOKEN"]
[log]
format = "json"
"""
    found = config(toml)
    data = {
        "database": {"url": "sqlite:///data/q.db"},
        "daemon": {"name": "a", "lease": 5, "timeout": "60m", "run_dir": "run"},
        "pools": {"io": {"threads": 16}, "default": {"threads": 2}},
        "plugins": {"dirs": ["p", "/opt/p"], "enable": ["shell"], "env": ["TUSHARE_TOKEN"]},
        "log": {"format": "json"},
    }
    others = [config(json.dumps(data), name) for name in ("qflowd.json", "qflowd.yaml")]
    for other in others:
        for part in ("database", "daemon", "pools", "plugins", "workflows", "log", "folder"):
            assert getattr(other, part) == getattr(found, part)
    assert found.pools["io"].slots == 16
    assert found.pools["default"].processes == max(2, CORES)


def test_paths_are_relative_to_the_file(folder):
    (folder / "etc").mkdir()
    found = config(
        'database.url = "sqlite:///a b.db"\nplugins.dirs = "../p"\nwaits.folders = ["in", "/in"]\n', "etc/my.toml"
    )
    assert found.folder == folder / "etc"
    assert found.database.url == f"sqlite:///{folder}/etc/a%20b.db"
    assert found.plugins.dirs == (folder / "etc/../p",)
    assert found.waits.folders == (folder / "etc/in", Path("/in"))


def test_the_file_is_found_by_variable_or_usual_name(folder):
    assert find({}) is None
    (folder / "qflowd.yaml").write_text("daemon: {name: here}")
    (folder / "other.toml").write_text("daemon.name = 'other'")
    assert load(None, {}).daemon.name == "here"
    assert load(None, {"QFLOWD_CONFIG": "other.toml"}).daemon.name == "other"
    assert load(Path("qflowd.yaml"), {"QFLOWD_CONFIG": "other.toml"}).daemon.name == "here"
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load(None, {"QFLOWD_CONFIG": "none.toml"})
    (folder / "qflowd.toml").write_text("")
    with pytest.raises(InvalidConfig, match="are both here"):
        load(None, {})


def test_connections_are_closed_by_default_and_written_like_the_database(folder):
    assert load(None, {}).connections == {}
    text = """
[connections.vendor]
kind = "postgresql"
host = "db.vendor"
user = "me"
password = "geheim"

[connections.bars-2]
url = "sqlite:///bars.db"
"""
    found = config(text).connections
    assert found["vendor"].url == "postgresql://me:geheim@db.vendor/"
    assert found["vendor"].shown == "postgresql://me@db.vendor/"
    assert "geheim" not in repr(found)
    assert found["bars-2"].url == f"sqlite:///{folder}/bars.db"
    environ = {"QFLOWD_CONNECTION_BARS_2_URL": "mysql://me@db/bars"}
    assert load(Path("qflowd.toml"), environ).connections["bars-2"].url == "mysql://me@db/bars"


def test_a_connection_names_a_database():
    assert faults('[connections.vendor]\n[connections."a b"]\nurl = "oracle://x"\n[connections.c]\nurll = 1\n') == [
        "1 connections.vendor: names no database: give url, or kind with its parts, or set QFLOWD_CONNECTION_VENDOR_URL",
        "2 connections.a b: name of a connection 'a b' contains ' '; use letters, digits and _ - . /",
        "3 connections.a b.url: does not begin like sqlite:///qflow.db, postgresql://host/name or mysql://host/name",
        "5 connections.c.urll: unknown key; did you mean url?",
    ]
    environ = {"QFLOWD_CONNECTION_VENDOR_URL": "oracle://x"}
    assert "QFLOWD_CONNECTION_VENDOR_URL" in load_faults("[connections.vendor]\n", environ)


def test_a_connection_is_for_all_tenants_or_for_those_it_names(folder):
    text = '[connections.a]\nurl = "sqlite:///a.db"\ntenants = {}\n'
    [open_, few, one] = [
        config(each).connections["a"] for each in (text[:-13], text.format(["desk", "ops"]), text.format('"desk"'))
    ]
    assert [each.is_for("desk") for each in (open_, few, one)] == [True, True, True]
    assert [each.is_for("ops") for each in (open_, few, one)] == [True, True, False]
    assert faults(text.format([])) == [
        "3 connections.a.tenants: names nobody; give tenants, or leave it out for all of them"
    ]
    assert faults(text.format('["a b"]')) == [
        "3 connections.a.tenants: tenant 'a b' contains ' '; use letters, digits and _ - . /"
    ]
    assert faults('[connections.a]\ntenants = ["desk"]\n') == [
        "1 connections.a: names no database: give url, or kind with its parts, or set QFLOWD_CONNECTION_A_URL"
    ]


def test_two_connections_have_no_variable_in_common(folder):
    told = load_faults('[connections.a-b]\nurl = "sqlite:///a.db"\n[connections.a_b]\nurl = "sqlite:///b.db"\n', {})
    assert "has the variable QFLOWD_CONNECTION_A_B_URL in common with connection 'a-b'; rename one of them" in told


def load_faults(text, environ):
    Path("qflowd.toml").write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load(Path("qflowd.toml"), environ)
    return str(caught.value)


def test_the_environment_overrides_the_url(folder):
    (folder / "qflowd.toml").write_text("[database]\nkind = 'mysql'\n")
    assert load(None, {}).database.url == "mysql://localhost/"
    assert load(None, {"QFLOWD_DATABASE_URL": "sqlite:///x.db"}).database.url == f"sqlite:///{folder}/x.db"
    with pytest.raises(InvalidConfig, match="QFLOWD_DATABASE_URL: does not begin like"):
        load(None, {"QFLOWD_DATABASE_URL": "oracle://x"})


def test_a_url_can_be_made_of_parts():
    text = """[database]
kind = "postgresql"
host = "::1"
port = 5433
user = "me@x"
password = "p:/@"
name = "q f"
options = {sslmode = "require"}
"""
    found = config(text).database
    assert found.url == "postgresql://me%40x:p%3A%2F%40@[::1]:5433/q%20f?sslmode=require"
    assert found.shown == "postgresql://me%40x@[::1]:5433/q%20f"
    assert config("database.kind = 'sqlite'\ndatabase.file = '/x/y.db'").database.url == "sqlite:////x/y.db"


def test_a_password_is_never_shown(folder):
    found = config('[database]\nurl = "postgresql://me:secret@host/db?password=secret"\n')
    assert "secret" not in repr(found)
    assert "secret" not in found.database.shown
    for text in ('url = "postgresql://me:secret@host:port/db"', "password = ['secret']", 'url = "secret"'):
        assert "secret" not in str(faults(f"[database]\n{text}\n"))


def test_all_faults_are_reported_at_once():
    text = """[database]
host = "h"
port = 99999
[daemon]
lease = "1s"
grcae = "1s"
[pools]
io = 3
"a b" = {processes = 0}
[x]
[plugins]
env = ["A=b"]
[log]
level = "loud"
"""
    found = faults(text)
    expected = [
        ("1 database:", "without kind"),
        ("3 database.port:", "1 to 65535"),
        ("5 daemon.lease:", "3s to 1h"),
        ("6 daemon.grcae:", "did you mean grace?"),
        ("8 pools.io:", "keys and values"),
        ("9 pools.a b:", "' '"),
        ("9 pools.a b.processes:", "1 to 1024"),
        ("10 x:", "unknown key"),
        ("12 plugins.env:", "names, not values"),
        ("14 log.level:", "debug, info"),
    ]
    assert len(found) == len(expected)
    for place, reason in expected:
        assert any(line.startswith(place) and reason in line for line in found), place


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("url = 'sqlite://x.db'", "names no file"),
        ("url = 'sqlite:///'", "names no file"),
        ("url = 'mysql://h'\nhost = 'h'", "keep either the url or its parts"),
        ("kind = 'sqlite'\nhost = 'h'", "its only part is file"),
        ("kind = 'mysql'\nfile = 'h'", "belongs to sqlite"),
        ("kind = 'oracle'", "one of sqlite"),
    ],
)
def test_a_database_that_makes_no_sense_is_a_fault(text, reason):
    assert any(reason in fault for fault in faults(f"[database]\n{text}\n"))


def test_workers_cannot_be_given_the_database():
    assert "workers must not reach its database" in faults("plugins.env = ['QFLOWD_DATABASE_URL']")[0]


def test_domains_name_the_pools_of_tasks_that_name_none():
    assert config('[domains]\nequities = "cash"\n"fixed income" = "rates"\n').domains == {
        "equities": "cash",
        "fixed income": "rates",
    }
    assert faults(f'[domains]\nequities = "a b"\n{"x" * 201} = "fx"\n') == [
        "2 domains.equities: pool name 'a b' contains ' '; use letters, digits and _ - . /",
        f"3 domains.{'x' * 201}: a domain has 1 to 200 characters",
    ]


def test_a_number_is_not_taken_for_a_string():
    text = """[database]
host = 10
user = 7
name = 2026
[daemon]
name = 1.10
[domains]
equities = 5
[plugins]
enable = [3]
env = 4
"""
    assert sorted(faults(text), key=lambda fault: int(fault.partition(" ")[0])) == [
        "2 database.host: must be a string in quotes, not 10",
        "3 database.user: must be a string in quotes, not 7",
        "4 database.name: must be a string in quotes, not 2026",
        "6 daemon.name: must be a string in quotes, not 1.1",
        "8 domains.equities: must be a string in quotes, not 5",
        "10 plugins.enable: must be a string in quotes, not 3",
        "11 plugins.env: must be a string in quotes, not 4",
    ]
