"""What `make demo` runs: a project in a scratch folder, a real daemon, one submission by SQL and one by command line.

Everything here goes through public doors: the command line, and SQL on the inboxes and views.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parent
QFLOWD = Path(sys.executable).with_name("qflowd")
PATIENCE_S = 60  # for any one step
OWN_BARS = Path("stocks.csv.gz")  # in the current folder: bars of your own, as the vendor takes them
DASHBOARD = "http://127.0.0.1:8080/"  # where `qflowd api` serves it unless [api] bind says otherwise
CRISIS = ("-p", "start=2007-10-09", "-p", "end=2009-03-09")

IS_TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
IS_COLOURED = IS_TERMINAL and "NO_COLOR" not in os.environ
COLOURS = {"FAILED": 31, "SUCCESS": 32, "SKIPPED": 33, "title": 1, "faint": 2} if IS_COLOURED else {}


class DemoFailed(Exception):
    """Something is not as it should be; the text says what."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemon is stopped then, too
    os.umask(0o077)  # qflowd refuses plugins that others could write to
    folder = new_project()
    title("Daily bars of five US stocks, 2000 to 2013, through a workflow on SQLite")
    print(f"   project    {folder}")
    try:
        run_demo(folder)
    except KeyboardInterrupt:
        print("\n   interrupted; the daemon is stopped")
        return 130
    except DemoFailed as error:
        print(f"\n{paint('FAILED', 'The demo failed:')} {error}\n\nEnd of {folder}/daemon.log:")
        print("\n".join((folder / "daemon.log").read_text("utf-8", "replace").splitlines()[-20:]))
        return 1
    return 0


def run_demo(folder: Path) -> None:
    with daemon(folder), closing(sqlite3.connect(folder / "qflow.db", timeout=10)) as db:
        db.row_factory = sqlite3.Row

        title("1. Submit with SQL: an INSERT by another program, which knows nothing of qflowd")
        by_sql = insert_submission(folder)
        follow(db, by_sql)
        if not db.execute("SELECT 1 FROM attempts WHERE instance_id = ? AND state = 'FAILED'", [by_sql]).fetchone():
            raise DemoFailed("load_GOOG was to fail once and be retried, but did not fail")

        title("2. Submit with the command line: the same workflow, other dates (the financial crisis)")
        command = ["submit", "us_daily", *CRISIS, "--wait"]
        shown(f"qflowd {' '.join(command)}")
        qflowd(folder, *command)
        (by_cli,) = db.execute("SELECT max(id) FROM instances").fetchone()

        title("3. Results")
        print_results(db, by_sql, "2000 to 2013")
        print()
        print_results(db, by_cli, "October 2007 to March 2009")
        reports = [bring_home(output(db, instance, "report")["file"]) for instance in (by_sql, by_cli)]
    if errors := [
        line for line in (folder / "daemon.log").read_text("utf-8").splitlines() if '"level": "error"' in line
    ]:
        raise DemoFailed(f"the daemon logged {len(errors)} errors")
    print_what_next(folder, reports)


def new_project() -> Path:
    """A copy of this example in a folder of its own: in a checkout, others may be allowed to write."""
    folder = Path(tempfile.mkdtemp(prefix="qflowd-demo-"))
    for source in [EXAMPLE / "qflowd.toml", *EXAMPLE.glob("plugins/*.py"), *EXAMPLE.glob("workflows/*.yaml")]:
        target = folder / source.relative_to(EXAMPLE)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(source.read_bytes())
    if OWN_BARS.exists():
        shutil.copy(OWN_BARS, folder)
    return folder


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """`qflowd run` from ready to stopped."""
    began = time.monotonic()
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [QFLOWD, "run"], cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not is_ready(folder / "qflow.db"):
                if process.poll() is not None or time.monotonic() > began + PATIENCE_S:
                    raise DemoFailed("qflowd run did not become ready")
                time.sleep(0.02)
            print(f"   qflowd run ready after {time.monotonic() - began:.1f} s, pid {process.pid}")
            yield
        finally:
            code = stop(process)
    if code != 0:
        raise DemoFailed(f"qflowd run ended with code {code}")
    print(f"\n   qflowd run stopped: TERM, code {code}")


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def is_ready(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(file, timeout=10)) as db:
            return db.execute("SELECT 1 FROM daemons").fetchone() is not None
    except sqlite3.OperationalError:
        return False  # the daemon is still making its tables


def insert_submission(folder: Path) -> int:
    """One row into the inbox, by the `sqlite3` program where there is one. Its id is the instance's id."""
    insert = "INSERT INTO submissions (workflow) VALUES ('us_daily')"
    client = shutil.which("sqlite3")
    if client:
        shown(f"""sqlite3 -cmd '.timeout 20000' qflow.db "{insert}\"""")
        command = [client, "-cmd", ".timeout 20000", "qflow.db", f"{insert}; SELECT last_insert_rowid();"]
    else:
        code = f"""import sqlite3
db = sqlite3.connect("qflow.db")
print(db.execute("{insert}").lastrowid)
db.commit()"""
        shown(f"python3 <<'END'\n{code}\nEND")
        command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"the INSERT failed: {done.stderr}")
    return int(done.stdout)


def qflowd(folder: Path, *arguments: str) -> None:
    """Run a command of qflowd; what it says goes straight to the terminal."""
    done = subprocess.run([QFLOWD, *arguments], cwd=folder, env=environment(), timeout=PATIENCE_S, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"qflowd {arguments[0]} ended with code {done.returncode}")


def run_until_idle(folder: Path) -> None:
    """Run a daemon until nothing is left to do. It exits with 1 if an instance failed."""
    command = [QFLOWD, "run", "--until-idle"]
    with (folder / "daemon.log").open("ab") as log:
        subprocess.run(command, cwd=folder, env=environment(), stdout=log, stderr=log, timeout=PATIENCE_S, check=False)


def environment() -> dict[str, str]:
    """Without settings of another qflowd."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QFLOWD_")}


def follow(db: sqlite3.Connection, instance: int) -> None:
    """Print what becomes of each task, until the instance has ended."""
    began, told = time.monotonic(), set[tuple[str, int]]()
    while time.monotonic() < began + PATIENCE_S:
        row = db.execute("SELECT state, progress, duration_s, error FROM instances WHERE id = ?", [instance]).fetchone()
        for news in [*failed_attempts(db, instance), *ended_tasks(db, instance)]:
            if (key := (news["task"], news["attempt"])) not in told:
                told.add(key)
                tell(time.monotonic() - began, news)
        if row is not None and row["state"] in ("SUCCESS", "FAILED", "TERMINATED"):
            clear_line()
            print(f"   instance {instance}: {paint(row['state'])} after {row['duration_s']:.2f} s")
            if row["state"] != "SUCCESS":
                raise DemoFailed(f"instance {instance} ended {row['state']}: {row['error']}")
            return
        (refused,) = db.execute("SELECT error FROM submissions WHERE id = ?", [instance]).fetchone()
        if refused:
            raise DemoFailed(f"submission {instance} was rejected: {refused}")
        show_progress(row["progress"] if row is not None else 0.0)
        time.sleep(0.05)
    raise DemoFailed(f"instance {instance} did not end within {PATIENCE_S} s")


def failed_attempts(db: sqlite3.Connection, instance: int) -> list[sqlite3.Row]:
    """Attempts that another one will follow."""
    return db.execute(
        """SELECT a.task, a.attempt, a.state, a.duration_s, a.error, NULL AS output, 1 AS is_retried
           FROM attempts a JOIN tasks t ON t.instance_id = a.instance_id AND t.id = a.task_id
           WHERE a.instance_id = ? AND a.state = 'FAILED' AND t.state <> 'FAILED' ORDER BY a.task, a.attempt""",
        [instance],
    ).fetchall()


def ended_tasks(db: sqlite3.Connection, instance: int) -> list[sqlite3.Row]:
    return db.execute(
        """SELECT task, attempt, state, duration_s, error, output, 0 AS is_retried FROM tasks
           WHERE instance_id = ? AND state IN ('SUCCESS', 'FAILED', 'SKIPPED', 'UPSTREAM_FAILED', 'CANCELLED')
           ORDER BY finished_at, id""",
        [instance],
    ).fetchall()


def tell(at: float, news: sqlite3.Row) -> None:
    took = "" if news["duration_s"] is None else f"{news['duration_s']:.2f} s"
    found = json.loads(news["output"] or "null")
    counts = found.items() if isinstance(found, dict) else ()
    text = news["error"] or ", ".join(f"{value:,} {name}" for name, value in counts if isinstance(value, int))
    if news["state"] == "SKIPPED":
        text = "its condition does not hold"
    elif news["state"] == "FAILED":
        text = f"attempt {news['attempt']}: {text}" + ("; another follows" if news["is_retried"] else "")
    elif news["attempt"] > 1:
        text += f" (attempt {news['attempt']})"
    state = paint(news["state"], f"{news['state']:8}")
    clear_line()
    print(f"   {at:5.2f} s  {state} {news['task']:12} {took:>7}  {text}".rstrip(), flush=True)


def show_progress(share: float) -> None:
    """A bar on a terminal; nothing in a log, where lines are enough."""
    if IS_TERMINAL:
        print(f"\r   {'#' * round(share * 40):-<40} {share:4.0%}", end="", flush=True)


def clear_line() -> None:
    if IS_TERMINAL:
        print("\r\033[K", end="")


def output(db: sqlite3.Connection, instance: int, task: str) -> Any:
    row = db.execute("SELECT output FROM tasks WHERE instance_id = ? AND task = ?", [instance, task]).fetchone()
    if row is None or row["output"] is None:
        raise DemoFailed(f"instance {instance} has no output of {task}")
    return json.loads(row["output"])


def print_results(db: sqlite3.Connection, instance: int, period: str) -> None:
    (duration_s,) = db.execute("SELECT duration_s FROM instances WHERE id = ?", [instance]).fetchone()
    heads = ("", "rows", "first", "last", "total return", "volatility", "max drawdown")
    print(f"   instance {instance}, {period}: {duration_s:.2f} s")
    print(paint("faint", "   {:6}{:>7}{:>13}{:>13}{:>14}{:>12}{:>14}".format(*heads)))
    for row in output(db, instance, "risk"):
        figures = f"{row['total_return']:>14.1%}{row['volatility']:>12.1%}{row['max_drawdown']:>14.1%}"
        print(f"   {row['symbol']:6}{row['rows']:>7,}{row['first']:>13}{row['last']:>13}{figures}")


def bring_home(report: str) -> Path:
    """A copy beside the example: some browsers may not open files in a temporary folder."""
    try:
        (EXAMPLE / "out").mkdir(exist_ok=True)
        return Path(shutil.copy(report, EXAMPLE / "out"))
    except OSError:  # a checkout that is not ours to write to
        return Path(report)


def print_what_next(folder: Path, reports: list[Path]) -> None:
    title("The reports, to open in a browser")
    for report in reports:
        print(f"   file://{report}")
    title("What to try next")
    print(f"   cd {folder} && export PATH={QFLOWD.parent}:$PATH")
    print("   qflowd show 1    # its tasks, attempts and durations")
    print("   qflowd logs 1    # what its jobs printed and logged")
    print("   qflowd run 2>>daemon.log & qflowd submit us_daily -p lost=2008-10-10 --wait; kill $!; qflowd show 3")
    print("                    # lose a session of IBM on the way: the checks find it, and no report is drawn")
    title(f"The dashboard, at {DASHBOARD}")
    print(f"   make web && (cd {folder} && {QFLOWD} api)    # with these runs; the link that it prints signs you in")
    print("   make demo-ui    # with three weeks of other runs, and a daemon that runs until Ctrl-C")


def title(text: str) -> None:
    print(f"\n{paint('title', text)}\n", flush=True)


def shown(command: str) -> None:
    print(f"   $ {command}\n", flush=True)


def paint(kind: str, text: str = "") -> str:
    return f"\033[{COLOURS[kind]}m{text or kind}\033[0m" if kind in COLOURS else text or kind


if __name__ == "__main__":
    sys.exit(main())
