"""A house of daemons on one store: started, killed and frozen by tests, and compared with the ledger at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw
import pytest

from qflowd.store.inbox import SUBMISSION
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.conftest import KINDS, GetServer, fresh_url
from tests.support.daemon import Daemon, until
from tests.support.invariants import violations
from tests.support.ledger import Ledger

T = TypeVar("T")
# Of the table behind the view, which takes a server some milliseconds, and this is asked ten times a second.
OPEN = "SELECT count(*) FROM qflow.workflow_instance WHERE finished_at IS NULL"
UNANSWERED = "SELECT count(*) FROM qflow.submissions WHERE answered_at IS NULL"

LEFT = (
    "SELECT id, workflow, job, state FROM qflow.submissions WHERE answered_at IS NULL",
    "SELECT id, workflow, state, wait_reason FROM qflow.instances WHERE finished_at IS NULL",
    "SELECT id, task, state, reason, attempt, wait_reason FROM qflow.tasks WHERE finished_at IS NULL",
    "SELECT * FROM qflow.child WHERE is_open = 1",
    "SELECT * FROM qflow.daemon",
)

INNODB_S = 0.15  # information_schema.innodb_trx shows what it showed before to whoever asks again within 0.1 s
_TRANSACTIONS = {  # under way, and holding something on MySQL, where the alarm always asks
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_rows_locked + trx_rows_modified > 0",
}


class House:
    """Daemons with the same plugins and workflows on one store.

    Args:
        more: text of further jobs, beside those of the ledger.
        workflows: file name -> text.
        config: more of qflowd.toml.
    """

    def __init__(
        self, url: str, folder: Path, more: str = "", workflows: dict[str, str] | None = None, config: str = ""
    ) -> None:
        self.url, self.folder = url, folder
        self.ledger = Ledger(folder / "ledger")
        self.daemons: dict[str, Daemon] = {}
        self.more, self.workflows, self.config = more, workflows or {}, config
        self._store: Store | None = None
        self.submitted: list[int] = []

    @property
    def store(self) -> Store:
        """The test's own way into the store; not through any proxy."""
        self._store = self._store or Store(self.url)
        return self._store

    def daemon(
        self,
        name: str = "a",
        *,
        url: str | None = None,
        env: dict[str, str] | None = None,
        is_neighbour: bool = True,
        processes: int = 2,
        plugins: dict[str, str] | None = None,
        **keys: Any,
    ) -> Daemon:
        """A new daemon, not started. `is_neighbour`: it shares the folder of lock files, as daemons of one host do."""
        run = self.folder / ("run" if is_neighbour else f"run-{name}")
        run.mkdir(exist_ok=True)
        found = Daemon(
            url or self.url,
            self.folder / name,
            plugins={"jobs.py": self.ledger.jobs(self.more)} | (plugins or {}),
            workflows=self.workflows,
            config=f"[pools.default]\nprocesses = {processes}\n{self.config}",
            daemon={"name": name, "run_dir": str(run), "lease": "3s"} | keys,
            env=env,
        )
        self.daemons[name] = found
        return found

    # -- what users do

    def submit(self, workflow: str | None = None, count: int = 1, **columns: Any) -> list[int]:
        """Write submissions in one transaction; their ids."""
        row = SUBMISSION | {"workflow": workflow} | columns
        ids = self.store.transact(lambda tx: [int(tx.one("insert_submission", **row).id) for _ in range(count)])
        self.submitted += ids
        return ids

    def freeze(self, daemon: Daemon) -> None:
        """Freeze a daemon between two transactions: in one of them it would hold what others need, for ever."""

        def is_at_rest() -> bool:
            daemon.freeze()
            if not self.is_somebody_writing():
                return True
            daemon.thaw()
            return False

        until(is_at_rest, 20, what="frozen between two transactions", every_s=INNODB_S)

    def is_somebody_writing(self) -> bool:
        if self.store.dialect.file is None:
            return bool(self.one(_TRANSACTIONS[self.store.dialect.name]))
        connection = apsw.Connection(str(self.store.dialect.file))
        try:
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")
        except apsw.BusyError:
            return True
        finally:
            connection.close()
        return False

    # -- what is to be seen

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self.store.connection().script(text)

    def one(self, text: str) -> Any:
        return self.sql(text)[0][0]

    def is_drained(self) -> bool:
        return self.one(UNANSWERED) == 0 and self.one(OPEN) == 0

    def drain(self, timeout_s: float = 30.0) -> None:
        """Wait until everything has been answered and has ended."""
        with self.explained():
            until(self.is_drained, timeout_s, what="drained", every_s=0.05)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """A failure in here says what has not ended, before the logs."""
        try:
            yield
        except AssertionError as error:
            lines = [f"{len(rows)} rows of {ask}: {rows[:20]}" for ask in LEFT for rows in [self.sql(ask)]]
            raise AssertionError("\n".join([str(error), *lines, self.logs()[-3000:]])) from error

    def states(self, column: str = "state") -> dict[Any, int]:
        """How many tasks are in each state."""
        return dict(self.sql(f"SELECT {column}, count(*) FROM qflow.tasks GROUP BY {column}"))

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{daemon.log()}" for name, daemon in self.daemons.items())

    def check(self, *, drained: bool = True, may_log_errors: bool = False) -> None:
        """Everything that must hold; `drained`: and nothing is left to do."""
        found = list(violations(self.store, drained=drained)) + self.ledger.overlaps()
        found += self.strangers()
        states = self.sql("SELECT id, state FROM qflow.submissions")
        found += [f"I1: submission {number} is lost" for number in set(self.submitted) - {row[0] for row in states}]
        if drained:
            found += [f"I1: submission {number} is {state}" for number, state in states if state == "NEW"]
        if not may_log_errors and "Traceback" in (logs := self.logs()):
            found.append(f"I12: a fault of ours: {logs[logs.index('Traceback') - 300 :][:3000]}")
        assert not found, "\n" + "\n".join(found[:20])

    def strangers(self) -> list[str]:
        """I5: what was accepted is what the run of the accepted fence returned (all jobs of the ledger return it)."""
        sql = "SELECT id, done_fence, output FROM qflow.task_instance WHERE output LIKE '{\"fence\":%'"
        return [
            f"I5: task {number} was accepted with fence {fence}, its output is {output}"
            for number, fence, output in self.sql(sql)
            if json.loads(output)["fence"] != fence
        ]

    # -- scenarios of all kinds of work

    def die_at_each(self, points: Iterable[str], work: Callable[[], object]) -> None:
        """Life after life, a daemon is killed at the next of these points; in the last one it ends everything.

        `work` is done in each life, and again whenever all has ended: what is ready at the same time may be written in one
        transaction, so a life may not come to the point with the work of one time.

        Args:
            points: `transaction:point:number`, as `tests.support.faulty` reads them.
        """
        daemon = self.daemon(lease="60s")
        migrate(self.store)

        def is_dead() -> bool:
            if self.is_drained():
                work()
            return not daemon.is_running

        with self.explained():
            for point in points:
                daemon.env["QFLOWD_FAULT"] = f"{point}:kill"
                daemon.start(ready=False)  # what the last life left may kill it before it is ready
                work()
                until(is_dead, 60, what=f"killed at {point}", every_s=0.1)
                assert daemon.wait() == -9, daemon.log()
        del daemon.env["QFLOWD_FAULT"]
        daemon.start()
        self.drain(90)
        assert daemon.stop() == 0
        self.check()

    def lose_one_of_two(self, workflow: str, count: int, is_under_way: Callable[[], bool]) -> None:
        """Two daemons share these instances; one is killed when they are under way, and the other one ends them."""
        first, second = self.daemon("a").start(), self.daemon("b").start()
        self.submit(workflow, count=count)
        until(is_under_way, 30)
        first.kill()
        self.drain(60)
        assert second.stop() == 0
        self.check()

    def close(self) -> None:
        for daemon in self.daemons.values():
            daemon.__exit__()
        if self._store is not None:
            self._store.close()


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(url: str, folder: str = "house", **keys: Any) -> House:
        (tmp_path / folder).mkdir()
        houses.append(House(url, tmp_path / folder, **keys))
        return houses[-1]

    yield make
    for house in houses:
        print(house.logs()[-20_000:])  # shown where a test fails
        house.close()


@pytest.fixture
def house(database_url: str, make_house: Callable[..., House]) -> House:
    """A house on each kind of database in turn."""
    return make_house(database_url)


@pytest.fixture
def houses(
    request: pytest.FixtureRequest, get_server: GetServer, make_house: Callable[..., House]
) -> Iterator[list[House]]:
    """A house on each database that is asked for, for tests that mostly wait: see `side_by_side`."""
    with contextlib.ExitStack() as stack:
        found = []
        for kind in KINDS:
            with contextlib.suppress(pytest.skip.Exception):
                server = get_server(kind)
                url = fresh_url(server, request)
                stack.callback(server.drop_database, url)
                found.append(make_house(url, folder=kind))
        yield found
        for house in found:
            house.close()


def side_by_side(scenario: Callable[[T], object], places: list[T]) -> None:
    """Play a scenario in all places at once; the first that fails fails the test."""
    with ThreadPoolExecutor(max(1, len(places))) as threads:
        for future in [threads.submit(scenario, place) for place in places]:
            future.result()


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """All living descendants of a process."""
    try:
        files = [thread / "children" for thread in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for file in files for child in file.read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in [child, *family(child)]]
