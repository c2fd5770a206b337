"""What `make screenshots` runs: the dashboard of `make demo-ui`, looked at by Chromium, into this folder.

Each picture is 1280 × 720 and at most 100 KB. What the jobs of the demo did is chance, so two runs differ in it.
"""

import argparse
import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, StorageState

from tests.support.browser import browser, look
from tests.support.daemon import until

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"width": 1280, "height": 720}
LARGEST = 100_000  # bytes
SETTLED_MS = 1500  # what comes by the stream, and lazy parts of a page
RUNS_END_S = 300
DAYS = 15  # as many runs of cn_eod has the demo
ASK = """async ([path, body]) => {
    const send = (path, how) => fetch('/api/v1/' + path, how).then((r) => r.json()).then((r) => r.data)
    if (body === null) return send(path)
    const headers = { 'Content-Type': 'application/json', 'X-Qflowd-CSRF': (await send('me')).csrf }
    return send(path, { method: 'POST', headers, body: JSON.stringify(body) })
}"""


class Shot(NamedTuple):
    """A picture of one page. In the path: `{failed}`, `{ended}`, runs of cn_eod; `{draft}`, the number of a draft of us_eod."""

    name: str
    path: str
    lang: str = "en"
    theme: str = "light"


SHOTS = (
    Shot("today", ""),
    Shot("today-dark", "", theme="dark"),
    Shot("today-zh", "", lang="zh"),
    Shot("grid", "workflows/cn_eod"),
    Shot("graph", "instances/{failed}"),
    Shot("graph-zh-dark", "instances/{failed}", lang="zh", theme="dark"),
    Shot("gantt", "instances/{ended}?tab=gantt"),
    Shot("log", "instances/{failed}?tab=log"),
    Shot("editor", "workflows/us_eod/versions/{draft}/edit?view=graph&task=prices"),
    Shot("editor-zh-dark", "workflows/us_eod/versions/{draft}/edit?task=check", lang="zh", theme="dark"),
    Shot("failures", "failures"),
    Shot("failures-zh", "failures", lang="zh"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", nargs="*", help="names of pictures; default: all")
    arguments = parser.parse_args()
    with demo() as link, browser() as chromium:
        state, runs = sign_in(chromium, link)
        for shot in SHOTS:
            if not arguments.only or shot.name in arguments.only:
                picture = take(chromium, link.partition("#")[0], state, shot._replace(path=shot.path.format(**runs)))
                (arguments.into / f"{shot.name}.webp").write_bytes(picture)
                print(f"   {shot.name}.webp  {len(picture) // 1000} KB", flush=True)
    return 0


@contextmanager
def demo() -> Iterator[str]:
    """The link that signs in to a demo on a free port."""
    environment = os.environ | {"BIND": "127.0.0.1:0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples/dashboard/demo.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(found[0] for line in process.stdout or () if (found := re.search(r"http://\S+#code=\S+", line)))
        finally:
            process.send_signal(signal.SIGTERM)


def sign_in(chromium: Browser, link: str) -> tuple[StorageState, dict[str, int]]:
    """The session, and the numbers in the paths, once all runs have ended but the one that takes long."""
    with look(chromium, link.partition("#")[0]) as page:
        page.goto(link)
        page.locator(".shell main h1").wait_for()
        until(
            lambda: (
                ask(page, "instances?workflow=cn_eod&state=SUCCESS,FAILED&total=true")["total"] >= DAYS
                and ask(page, "instances?state=open&total=true")["total"] <= 1
            ),
            RUNS_END_S,
            what="the end of the runs",
        )
        runs = ask(page, "instances?workflow=cn_eod&limit=50")["items"]
        failed = [run["id"] for run in runs if run["state"] == "FAILED"]
        ended = [run["id"] for run in runs if run["state"] == "SUCCESS"]
        draft = ask(page, "workflows/us_eod/versions", {"copy_of": "active"})["version"]
        return page.context.storage_state(), {"failed": failed[0], "ended": ended[0], "draft": draft}


def ask(page: Page, path: str, body: object = None) -> Any:
    """The data of an answer, in the session of the page; with a body it is a POST."""
    return page.evaluate(ASK, [path, body])


def take(chromium: Browser, address: str, state: StorageState, shot: Shot) -> bytes:
    """A picture as WebP, as good as `LARGEST` allows."""
    with look(chromium, address, lang=shot.lang, theme=shot.theme, state=state) as page:
        page.set_viewport_size(SIZE)
        page.goto(address + shot.path)
        page.locator(".shell main h1").wait_for()
        page.wait_for_timeout(SETTLED_MS)
        session = page.context.new_cdp_session(page)
        for quality in (92, 80, 65, 50):
            given = {"format": "webp", "quality": quality}
            picture = base64.b64decode(session.send("Page.captureScreenshot", given)["data"])
            if len(picture) <= LARGEST:
                return picture
    raise SystemExit(f"{shot.name} has {len(picture):,} bytes, more than {LARGEST:,}")


if __name__ == "__main__":
    sys.exit(main())
