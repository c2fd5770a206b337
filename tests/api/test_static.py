"""The dashboard's files over HTTP: one page for every address, files that never change, nothing but them."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qflowd import resources
from tests.support.http import ApiServer, Reply

PAGE = '<!doctype html><base href="/"><meta name="csp-nonce" content=""><script src="./assets/index-1.js"></script>'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dashboard as a build makes it."""
    built = tmp_path / "web"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (built / "icon.svg").write_text("<svg/>")
    (built / "assets" / "index-1.js").write_text("let a = 1")
    (built / "assets" / "index-1.js.gz").write_bytes(gzip.compress(b"let a = 1"))
    (built / ".stamp").write_text("x")
    (tmp_path / "secret.js").write_text("secret")
    whole = resources.folder
    monkeypatch.setattr(resources, "folder", lambda name: built if name == "web" else whole(name))
    return built


@pytest.fixture
def port(sqlite_url: str, folder: Path) -> Iterator[int]:
    with ApiServer(sqlite_url) as api:
        yield api.port


def ask(port: int, path: str, **headers: str) -> Reply:
    """What a browser gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path", ["/", "/workflows", "/workflows/eod.cn", "/workflows/a%2Fb.c?tab=grid", "/instances/7"]
)
def test_every_address_that_is_no_file_has_the_page(port: int, path: str) -> None:
    reply = ask(port, path)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<base href="/">' in reply.text
    assert reply.headers["cache-control"] == "no-store"


def test_the_page_allows_no_script_but_its_own_and_carries_the_nonce_of_its_policy(port: int) -> None:
    first, second = ask(port, "/"), ask(port, "/")
    policy = first.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce
    assert f'content="{nonce[1]}"' in first.text
    assert nonce[1] not in second.text
    assert first.headers["x-content-type-options"] == "nosniff"


def test_a_file_with_a_hash_may_be_kept_for_ever_and_is_sent_packed(port: int) -> None:
    packed = ask(port, "/assets/index-1.js", **{"accept-encoding": "gzip, br"})
    plain = ask(port, "/assets/index-1.js")
    assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", b"let a = 1")
    assert (plain.body, "content-encoding" in plain.headers) == (b"let a = 1", False)
    for reply in (packed, plain):
        assert reply.headers["content-type"].startswith("text/javascript")
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/favicon.ico",
        "/.stamp",
        "/index.html",
        "/assets/index-1.js.gz",
        "/assets/..%2f..%2fsecret.js",
        "/assets/../../secret.js",
        "/assets/%00.js",
        "/assets/",
        "/assets/" + "a" * 300,
        "/a." + "a" * 300,
    ],
)
def test_what_is_no_file_of_the_dashboard_is_not_found(port: int, path: str) -> None:
    reply = ask(port, path)
    assert (reply.status, reply.code) == (404, 40401)
    assert reply.headers["x-request-id"]
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_below_a_base_path_the_page_says_where_it_lives(sqlite_url: str, folder: Path) -> None:
    with ApiServer(sqlite_url, {"base_path": "/qflowd"}) as api:
        for path in ("/qflowd", "/qflowd/", "/qflowd/workflows/x"):
            assert '<base href="/qflowd/">' in ask(api.port, path).text
        assert ask(api.port, "/qflowd/assets/index-1.js").body == b"let a = 1"


def test_without_a_dashboard_the_server_says_so(sqlite_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise FileNotFoundError(name)

    with ApiServer(sqlite_url) as api:
        monkeypatch.setattr(resources, "folder", missing)
        reply = ask(api.port, "/")
    assert reply.status == 200
    assert "make web" in reply.text
