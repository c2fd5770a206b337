"""A store that has been used for a year: instances, tasks, failures and lines by the million, written by set-based SQL."""

from collections.abc import Iterator

from bench.rig import NOOP, Rig
from qflowd.store.tx import Store

WORKFLOWS = 20
NODES = 10
CHUNK = 20_000  # instances a transaction
OPEN = 500  # the newest instances run
MAP, LARGE_MAP = 5_400, 100_000  # items: the symbols of the Chinese A-share market, and a list of any length
LINES = 1_000_000  # of one task

_NUMBERS = {
    "postgres": "generate_series(CAST({first} AS bigint), {last}) AS s(n)",
    "mysql": "(SELECT seq AS n FROM seq_{first}_to_{last}) AS s",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS s",
}
# An instant `seconds` before now, and a date so many days before today.
_AT = {
    "postgres": "(now() - make_interval(secs => {seconds}))",
    "mysql": "(UTC_TIMESTAMP(6) - INTERVAL ({seconds}) SECOND)",
    "sqlite": "(CAST(strftime('%s', 'now') AS INTEGER) * 1000000 - CAST(({seconds}) * 1000000 AS INTEGER))",
}
_DAY = {
    "postgres": "(current_date - CAST({days} AS integer))",
    "mysql": "(CURRENT_DATE - INTERVAL ({days}) DAY)",
    "sqlite": "date('now', '-' || ({days}) || ' days')",
}
_DIVIDED = {"postgres": "{0} / {1}", "mysql": "{0} DIV {1}", "sqlite": "{0} / {1}"}  # of whole numbers


class Filler:
    """Fills the store of a rig. Instances are numbered from 1, one every `gap_s` seconds, the last of them now."""

    def __init__(
        self, store: Store, instances: int, maps: tuple[int, ...] = (MAP, LARGE_MAP), lines: int = LINES
    ) -> None:
        """`maps`: how many items each has; `lines`: of one task of the first map, a multiple of 1,000."""
        self.store, self.instances, self.dialect = store, instances, store.dialect.name
        self.maps, self.lines = maps, lines
        self.gap_s = 365 * 86_400 / instances

    def fill(self) -> None:
        """Everything, and statistics as a server keeps them."""
        self._script("INSERT INTO qflow.lane (tenant, pool, job, limits) VALUES ('default', 'default', 'noop', '')")
        for first in range(1, self.instances + 1, CHUNK):
            self._script(*self._instances(first, min(first + CHUNK - 1, self.instances)))
        for number, items in enumerate(self.maps, self.instances + 1):
            self._map(number, items)
        self.lines_of((self.instances + 1 << 20) + 3)
        if self.dialect == "postgres":
            self.store.connection().script("VACUUM ANALYZE")

    def _script(self, *texts: str) -> None:
        connection = self.store.connection()
        connection.begin()
        for text in texts:
            connection.script(text)
        connection.commit()

    def _numbers(self, first: int, last: int) -> str:
        return _NUMBERS[self.dialect].format(first=first, last=last)

    def _at(self, seconds: str) -> str:
        return _AT[self.dialect].format(seconds=seconds)

    def _named(self, word: str) -> str:
        return f"'{word}' || n" if self.dialect == "sqlite" else f"CONCAT('{word}', n)"

    def _instances(self, first: int, last: int) -> Iterator[str]:
        """Of a hundred, five failed at their eighth task and one was terminated; the newest run."""
        running = self.instances - OPEN
        state = f"CASE WHEN n > {running} THEN 1 WHEN n % 100 < 5 THEN 4 WHEN n % 100 = 5 THEN 5 ELSE 3 END"
        age = f"({self.instances} - n) * {self.gap_s}"
        # By workflow and day, so that neither follows from the other.
        of, day = (
            f"1 + n % {WORKFLOWS}",
            _DAY[self.dialect].format(
                days=_DIVIDED[self.dialect].format(f"({self.instances} - n)", max(1, self.instances // 365))
            ),
        )
        ended = f"CASE WHEN n > {running} THEN NULL ELSE {self._at(f'{age} - 60')} END"
        columns = (
            "id, tenant, definition_id, version_id, state, open_closers, next_ordinal, priority, business_date, trigger_type, "
            "params, created_at, started_at, finished_at, updated_at"
        )
        yield (
            f"INSERT INTO qflow.workflow_instance ({columns}) SELECT n, 'default', {of}, {of}, {state}, 0, {NODES}, 0, {day}, "
            f"CASE WHEN n % 10 = 0 THEN 'api' ELSE 'schedule' END, '{{\"n\": 1}}', {self._at(age)}, {self._at(age)}, {ended}, "
            f"{self._at(age)} FROM {self._numbers(first, last)}"
        )
        for node in range(NODES):
            yield self._tasks(first, last, node, running, age)
        began, failed = self._at(f"{age} - {7 * 5}"), self._at(f"{age} - {7 * 5 + 4}")
        yield (
            "INSERT INTO qflow.attempt (task_id, fence, attempt, state, reason, started_at, finished_at, error, traceback) "
            f"SELECT n * 1048576 + 7, 1, 1, 6, 1, {began}, {failed}, 'ValueError: row is not there', 'Traceback: line 1' "
            f"FROM {self._numbers(first, last)} WHERE n % 100 < 5 AND n <= {running}"
        )

    def _tasks(self, first: int, last: int, node: int, running: int, age: str) -> str:
        """One task of each: of those that run, the sixth waits for a slot and later ones for it."""
        bad = 6 if node == 7 else 8 if node > 7 else 5
        now = 5 if node < 5 else 1 if node == 5 else 0
        state = f"CASE WHEN n > {running} THEN {now} WHEN n % 100 < 5 THEN {bad} ELSE 5 END"
        began, ended = self._at(f"{age} - {node * 5}"), self._at(f"{age} - {node * 5 + 4}")
        has_run = f"n <= {running}" if node >= 5 else "1 = 1"
        columns = (
            "id, node, state, lane, priority, fence, done_fence, attempt, open_parents, need, reason, ready_at, "
            "started_at, finished_at, output"
        )
        return (
            f"INSERT INTO qflow.task_instance ({columns}) SELECT n * 1048576 + {node}, {node}, {state}, 1, 0, 2, "
            f"CASE WHEN {has_run} THEN 1 END, 1, CASE WHEN n > {running} AND {node} > 5 THEN 1 ELSE 0 END, "
            f"CASE WHEN n > {running} AND {node} > 5 THEN 1 ELSE 0 END, CASE WHEN n % 100 < 5 AND {node} = 7 THEN 1 ELSE 0 END, "
            f"{began}, CASE WHEN {has_run} THEN {began} END, CASE WHEN {has_run} THEN {ended} END, '{{\"rows\": 5400}}' "
            f"FROM {self._numbers(first, last)}"
        )

    def _map(self, number: int, items: int) -> None:
        """An instance of the first workflow whose second task is a map; every thousandth item has failed."""
        at, first = self._at("600"), number << 20
        instance = (
            "INSERT INTO qflow.workflow_instance (id, tenant, definition_id, version_id, state, open_closers, next_ordinal, priority, "
            f"trigger_type, params, created_at, started_at, updated_at) VALUES ({number}, 'default', 1, 1, 1, 1, {items + NODES}, 0, "
            f"'api', '{{}}', {at}, {at}, {at})"
        )
        columns = "id, node, map_index, label, kind, state, lane, priority, fence, done_fence, attempt, open_parents, need, ready_at"
        own = ", ".join(
            f"({first + i}, {i}, NULL, NULL, {1 if i == 1 else 0}, {5 if i == 0 else 0}, 1, 0, 2, 1, 1, {items if i == 1 else 1}, 1, {at})"
            for i in range(NODES)
        )
        label = self._named("s")
        began, ended = self._at("600 - n * 0.005"), self._at("600 - n * 0.005 - 2")
        rows = (
            f"INSERT INTO qflow.task_instance ({columns}, started_at, finished_at, reason) SELECT {first + NODES} + n, 1, n, {label}, 0, "
            f"CASE WHEN n % 1000 = 17 THEN 6 WHEN n > {items - 1000} THEN 1 ELSE 5 END, 1, 0, 2, 1, 1, 0, 0, {began}, {began}, {ended}, 0 "
            f"FROM {self._numbers(0, items - 1)}"
        )
        fan_out = f"INSERT INTO qflow.fan_out (task_id, first_ordinal, items, opened) VALUES ({first + 1}, {NODES}, {items}, {items})"
        self._script(instance, f"INSERT INTO qflow.task_instance ({columns}) VALUES {own}", rows, fan_out)

    def lines_of(self, task: int) -> None:
        """What one task wrote."""
        step = min(self.lines, 100_000)
        for first in range(1, self.lines, step):
            self._script(
                "INSERT INTO qflow.log_line (task_id, fence, attempt, logged_at, stream, level, logger, message) "
                f"SELECT {task}, 1, 1, {self._at('600 - n * 0.0005')}, 'log', CASE WHEN n % 1000 = 0 THEN 'ERROR' ELSE 'INFO' END, 'app', "
                f"{self._named('line ')} "
                f"FROM {self._numbers(first, first + step - 1)}"
            )


def fill(rig: Rig, instances: int) -> None:
    """Fill the empty store of a rig. A daemon stores the workflows: chains of ten tasks."""
    for number in range(1, WORKFLOWS + 1):
        tasks = {f"task_{i}": {"job": "noop"} | ({"after": [f"task_{i - 1}"]} if i else {}) for i in range(NODES)}
        rig.workflow(f"daily_{number:02}", tasks, domain=f"desk_{number % 4}", tags=[f"t{number % 5}"])
    rig.plugin("noop.py", NOOP)
    rig.start()
    stored = f"SELECT COUNT(*) FROM qflow.workflow_definition d WHERE d.active_version = d.id AND d.id <= {WORKFLOWS}"
    rig.wait_for(lambda: rig.ask(stored)[0][0] == WORKFLOWS, "the workflows, each with the version of its number")
    rig.stop()
    Filler(rig.store, instances).fill()
