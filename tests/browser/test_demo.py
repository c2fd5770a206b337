"""`make demo-ui`: the link that it prints leads into a dashboard with runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

from playwright.sync_api import Browser, expect

from tests.support.browser import look
from tests.support.daemon import ROOT


def test_the_demo_prints_a_link_that_leads_to_its_runs(chromium: Browser) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
    command = [sys.executable, str(ROOT / "examples/dashboard/demo.py")]
    with subprocess.Popen(
        command, env=environment | {"BIND": "127.0.0.1:0", "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as demo:
        try:
            assert demo.stdout
            link = next(found[0] for line in demo.stdout if (found := re.search(r"http://\S+#code=\S+", line)))
            with look(chromium, link.partition("#")[0]) as page:
                page.goto(link)
                expect(page.get_by_role("main")).to_contain_text("risk_model")
                page.goto(f"{link.partition('#')[0]}workflows")
                expect(page.get_by_role("main")).to_contain_text("China, end of day")
        finally:
            demo.send_signal(signal.SIGTERM)
    assert demo.returncode == 143
