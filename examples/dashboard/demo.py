"""What `make demo-ui` runs: a daemon with its dashboard, and three weeks of runs to look at. Ctrl-C ends it.

Everything lies in a scratch folder, which is removed at the end.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import qflowd

EXAMPLE = Path(__file__).resolve().parent
QFLOWD = [sys.executable, "-m", "qflowd"]
BIND = os.environ.get("BIND", "127.0.0.1:8080")
PATIENCE_S = 60
DAYS = 15
CONFIG = f'[api]\nenabled = true\nbind = "{BIND}"\n[pools.default]\nprocesses = 4\n'
SERVING = re.compile(r"serving (https?://[^\s\"]+)")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemon is stopped then, too
    os.umask(0o077)  # qflowd refuses plugins that others could write to
    with tempfile.TemporaryDirectory(prefix="qflowd-demo-") as name:
        folder = Path(name)
        for each in ("plugins", "workflows"):
            shutil.copytree(EXAMPLE / each, folder / each)
        (folder / "qflowd.toml").write_text(CONFIG, "utf-8")
        (folder / "run").mkdir()
        environment = os.environ | {
            "QFLOWD_CONFIG": str(folder / "qflowd.toml"),
            "QFLOWD_DATABASE_URL": f"sqlite:///{folder}/qflow.db",
        }
        with (folder / "daemon.log").open("wb") as log:
            daemon = subprocess.Popen([*QFLOWD, "run"], cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            address = wait_for_address(folder / "daemon.log", daemon)
            print(
                f"\n   {sign_in_link(address, environment)}\n\n   This link signs you in once. Three weeks of runs follow, a day every few seconds. Ctrl-C ends the demo.",
                flush=True,
            )
            run_days(environment["QFLOWD_DATABASE_URL"])
            return daemon.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            stop(daemon)


def stop(daemon: subprocess.Popen[bytes]) -> None:
    """End it, and what runs with it: the first signal asks it to let that end first, the second does not."""
    while daemon.poll() is None:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(0.5)


def wait_for_address(log: Path, daemon: subprocess.Popen[bytes]) -> str:
    """Where the dashboard is, as the server says when it listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and daemon.poll() is None:
        if found := SERVING.search(log.read_text("utf-8", "replace")):
            return found[1]
        time.sleep(0.1)
    sys.exit(f"the dashboard does not come up:\n{log.read_text('utf-8', 'replace')[-2000:]}\nIs {BIND} in use? BIND=…")


def sign_in_link(address: str, environment: dict[str, str]) -> str:
    """A link that signs in once."""
    command = [*QFLOWD, "login-link", "demo", "--role", "system", "--url", address]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def run_days(url: str) -> None:
    """One run of each end of day for the last business days, day by day, and one that takes a while.

    On the last day closes are compared more strictly than the sources allow, so that something has failed.
    """
    days = [date.today() - timedelta(days=ago) for ago in range(DAYS * 2, 0, -1)]  # noqa: DTZ011 - any day will do
    days = [day for day in days if day.weekday() < 5][-DAYS:]
    with qflowd.connect(url) as client:
        client.submit("risk_model")
        for day in days:
            limit = {"limit": 0.005} if day == days[-1] else {}
            runs = [
                client.submit("cn_eod", params=limit, business_date=day),
                client.submit("us_eod", business_date=day),
            ]
            for run in runs:
                run.wait(PATIENCE_S)


if __name__ == "__main__":
    sys.exit(main())
