"""What `doctor` finds about the HTTP API: whose address it is, who can reach it, whether the dashboard was built."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from qflowd import resources
from tests.support.http import ApiServer


@pytest.fixture
def found(run, tmp_path):
    """Lines of doctor about the API, with a configuration."""

    def look(*lines: str) -> list[str]:
        (tmp_path / "qflowd.toml").write_text("\n".join(["[api]", *lines]))
        kept = [each for each in run("doctor", "--json").json["findings"] if each["about"] in ("api", "dashboard")]
        return [f"{each['level']} {each['message']}" for each in kept]

    return look


@pytest.fixture
def taken():
    """A port where something listens that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_it_says_how_to_switch_it_on(found):
    assert found() == ["ok off; `qflowd api`, or enabled = true in [api], serves it on 127.0.0.1:8080"]


def test_it_knows_its_own_server_from_another_program(found, sqlite_url, taken, monkeypatch):
    monkeypatch.setattr("qflowd.api.http.neighbour.PATIENCE_S", 0.2)
    with ApiServer(sqlite_url) as api:
        assert f"ok qflowd answers on 127.0.0.1:{api.port}" in found("enabled = true", f'bind = "127.0.0.1:{api.port}"')
    assert f"note nothing listens on 127.0.0.1:{api.port} now" in found(
        "enabled = true", f'bind = "127.0.0.1:{api.port}"'
    )
    assert f"fault another program listens on 127.0.0.1:{taken}" in found(
        "enabled = true", f'bind = "127.0.0.1:{taken}"'
    )
    assert any(
        "fault nowhere.invalid:8080: " in line
        for line in found("enabled = true", 'bind = "nowhere.invalid:8080"', "plaintext = true")
    )


def test_it_warns_of_other_hosts_without_tls(found):
    lines = found('bind = "0.0.0.0:8080"', "plaintext = true")
    assert "warning 0.0.0.0:8080 speaks without TLS, and other hosts can reach it" in lines
    assert any("trusted_proxies" in line for line in lines)
    lines = found('bind = "0.0.0.0:8080"', "plaintext = true", 'trusted_proxies = ["10.0.0.7/32"]')
    assert not any("trusted_proxies" in line for line in lines)


def test_a_certificate_that_cannot_be_used_is_a_fault(found, tmp_path):
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    lines = found('tls_cert = "torn.pem"', 'tls_key = "torn.pem"')
    assert any(line.startswith(f"fault {tmp_path}/torn.pem and {tmp_path}/torn.pem cannot be used: ") for line in lines)


def test_a_dashboard_that_was_not_built_is_named(found, monkeypatch):
    def without_web(name: str) -> Path:
        if name == "web":
            raise FileNotFoundError
        return whole(name)

    whole = resources.folder
    monkeypatch.setattr(resources, "folder", without_web)
    assert "warning the dashboard was not built; the API works without it" in found(
        "enabled = true", 'bind = "127.0.0.1:0"'
    )
