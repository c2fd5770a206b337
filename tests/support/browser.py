"""Chromium for tests: found or installed, started without a sandbox where root runs it, and watched while it looks.

with browser() as chromium:
    with look(chromium, lang="zh", theme="dark") as page:    # fails at the end if the page has complained
        page.goto(url)
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests.support.binaries import Unavailable, cache_folder

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@functools.cache
def chromium_path() -> str:
    """The program. Debian's is installed where this is CI and we may. Raises: Unavailable."""
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    if os.environ.get("CI") == "true" and os.geteuid() == 0 and shutil.which("apt-get"):
        import fcntl

        with (cache_folder() / "chromium.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
                command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *step]
                done = subprocess.run(
                    command, env=environment, check=False, capture_output=True, text=True, timeout=900
                )
        if found := next(filter(None, map(shutil.which, NAMES)), None):
            return found
        raise Unavailable(f"Chromium could not be installed: {(done.stderr or done.stdout)[-500:]}")
    raise Unavailable("no Chromium; Debian: apt install chromium")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which is removed at the end."""
    path = chromium_path()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield found
        finally:
            found.close()


@contextlib.contextmanager
def look(
    chromium: Browser,
    url: str,
    *,
    lang: str = "en",
    theme: Any = "light",
    state: StorageState | None = None,
    **more: Any,
) -> Iterator[Page]:
    """A page of the dashboard at `url`. At the end: no error on its console, no violation, no request to another host.

    `state`: a signed-in person's cookies. Refusals that a test provokes are named in `page.expected`, by status.
    """
    context = chromium.new_context(
        base_url=url,
        locale=LOCALES[lang],
        color_scheme=theme,
        timezone_id="Asia/Shanghai",
        storage_state=state,
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
        **more,
    )
    context.set_default_timeout(45_000)
    page = context.new_page()
    complaints: list[str] = []
    allowed: set[str] = set()
    page.expected = allowed  # type: ignore[attr-defined]
    home = urlsplit(url).netloc

    def told(message: Any) -> None:
        if message.type in ("error", "warning") and not any(status in message.text for status in allowed):
            complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def asked(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != home:
            complaints.append(f"asked another host: {request.url}")

    page.on("console", told)
    page.on("pageerror", lambda error: complaints.append(f"raised: {error}"))
    page.on("request", asked)
    try:
        yield page
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page that is serious or critical."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:300]} {node.get('failureSummary', '')[:300]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]
