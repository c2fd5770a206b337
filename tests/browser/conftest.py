"""A site to look at: a real daemon with its HTTP server, a person who is signed in, and a browser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

import qflowd
from qflowd.client import Client
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import make_first_code
from qflowd.model.names import DEFAULT_TENANT
from qflowd.store.tx import Store
from tests.browser.scene import PLUGINS, WORKFLOWS
from tests.conftest import KINDS, GetServer
from tests.support.binaries import Unavailable
from tests.support.browser import AXE, browser, look
from tests.support.daemon import ROOT, Daemon, until

API = '[api]\nenabled = true\nbind = "127.0.0.1:0"\nrate = "10000/s"\n'
expect.set_options(timeout=30_000)
Look = Callable[..., AbstractContextManager[Page]]


@dataclass
class Site:
    """Where the dashboard is, what stands behind it, and who looks at it."""

    url: str
    daemon: Daemon
    client: Client
    chromium: Browser
    state: StorageState | None = None
    runs: dict[str, int] = field(default_factory=dict)

    def look(self, **how: Any) -> AbstractContextManager[Page]:
        """A page, signed in; see `tests.support.browser.look`."""
        return look(self.chromium, self.url, **({"state": self.state} | how))

    def open(self, page: Page, path: str = "") -> None:
        """Go to a page, and wait until it answers keys."""
        page.goto(self.url + path)
        page.locator(".shell main h1").wait_for()

    def code(self) -> str:
        """A link's part that signs in once."""
        store = Store(self.daemon.url)
        try:
            found = store.transact(lambda tx: make_first_code(tx, Actor("tests", DEFAULT_TENANT)))
        finally:
            store.close()
        assert found is not None, "somebody is known already"
        return found

    def ended(self, instance: int, state: str) -> None:
        """Wait until a run has ended in a state."""
        assert self.client.instance(instance).wait(60) == state


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Without one: skipped, in CI failed."""
    no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    for path in (ROOT / "web/dist/index.html", AXE):
        if not path.is_file():
            no(f"{path} is missing: make web")
    try:
        with browser() as found:
            yield found
    except Unavailable as error:
        no(str(error))


ON_EACH = ["sqlite", *(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS if kind != "sqlite")]


@pytest.fixture(scope="module", params=ON_EACH)
def site(
    request: pytest.FixtureRequest, get_server: GetServer, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Shared by the tests of a module: a run that failed, one that succeeded, and one that waits."""
    server = get_server(request.param)
    url = server.create_store()
    folder: Path = tmp_path_factory.mktemp("site")
    with Daemon(url, folder, plugins=PLUGINS, workflows=WORKFLOWS, config=API) as daemon:
        address = until(lambda: re.findall(r"serving (http://\S+/)", daemon.log()), 20, what="the server to come up")
        with qflowd.connect(url) as client:
            found = Site(str(address[-1]), daemon, client, chromium)
            sign_in(found)
            fill(found)
            yield found
    server.start().give_back(url)


def sign_in(site: Site) -> None:
    """By the link that the server prints when nobody is known."""
    with site.look() as page:
        page.expected.add("401")  # type: ignore[attr-defined]
        page.goto(f"{site.url}#code={site.code()}")
        page.locator(".shell main h1").wait_for()
        assert "code" not in page.url
        site.state = page.context.storage_state()


def fill(site: Site) -> None:
    """Runs to look at."""
    for name in ("eod.cn", "reference/adr", "long"):
        site.runs[name] = site.client.submit(name, business_date="2026-11-27").id
    site.ended(site.runs["eod.cn"], "FAILED")
    site.ended(site.runs["reference/adr"], "SUCCESS")
    until(lambda: site.client.instance(site.runs["long"]).state() == "RUNNING", 60)
