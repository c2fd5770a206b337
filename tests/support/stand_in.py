"""A stand-in for the engine, which writes the rows that an engine would write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, TaskState
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.conftest import GetServer
from tests.support.sql import run_sql


def quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


class StandIn:
    """Plays the engine in a store, in plain SQL, so that it depends on the schema alone."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = Store(url)
        migrate(self.store)
        renderer = self.store.dialect.renderer
        self.now = renderer.words["clock"]
        self.inbox_now = renderer.templates["instant"].format(self.now)

    def close(self) -> None:
        self.store.close()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction; returns the rows of the last."""
        return run_sql(self.store, *statements)

    def insert(self, table: str, **values: Any) -> str:
        """Text of an INSERT; `NOW` stands for the database's clock."""
        cells = [self.now if value == "NOW" else quoted(value) for value in values.values()]
        return f"INSERT INTO qflow.{table} ({', '.join(values)}) VALUES ({', '.join(cells)})"

    def answer(self, number: int, state: str, instance_id: int | None = None, error: str | None = None) -> None:
        self.sql(self._answer("submissions", number, state, f"instance_id = {quoted(instance_id)}", error))

    def _answer(self, table: str, number: int, state: str, other: str, error: str | None) -> str:
        return (
            f"UPDATE qflow.{table} SET is_open = 0, answered_at = {self.inbox_now}, state = '{state}', {other}, "
            f"error = {quoted(error)} WHERE id = {number}"
        )

    def answer_commands(
        self, state: str = "DONE", error: str | None = None, *also: str, result: str = "done"
    ) -> threading.Thread:
        """From a thread: answer the next command that comes, and run the statements `also` with it."""

        def work() -> None:
            other = StandIn(self.url)
            end = time.monotonic() + 20
            while time.monotonic() < end:
                found = other.sql("SELECT id FROM qflow.commands WHERE is_open = 1")
                if found:
                    other.sql(other._answer("commands", found[0][0], state, f"result = '{result}'", error), *also)
                    break
                time.sleep(0.02)
            other.close()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def admit(self, number: int, job: str = "hello", tasks: tuple[str, ...] = ("READY",), **columns: Any) -> int:
        """Make the instance of a submission of one job, with task rows in the given states."""
        row = {"id": number, "tenant": "default", "job": job, "state": int(InstanceState.RUNNING)} | columns
        row |= {"open_closers": len(tasks), "next_ordinal": len(tasks), "priority": 0, "trigger_type": "sql"}
        row |= {"params": '{"a":1}', "created_at": "NOW", "started_at": "NOW", "updated_at": "NOW"}
        statements = [self.insert("workflow_instance", **row)]
        lane = self.lane(job)
        for i, word in enumerate(tasks):
            task = {"id": number * ORDINALS + i, "node": i, "state": int(TaskState[word]), "lane": lane, "priority": 0}
            statements.append(self.insert("task_instance", **task, open_parents=0, need=1, ready_at="NOW"))
        self.sql(*statements, self._answer("submissions", number, "ACCEPTED", f"instance_id = {number}", None))
        return number

    def lane(self, job: str) -> int:
        find = f"SELECT id FROM qflow.lane WHERE job = '{job}'"
        if not self.sql(find):
            self.sql(self.insert("lane", tenant="default", pool="default", job=job, limits=""))
        return int(self.sql(find)[0][0])

    def finish(self, number: int, output: str | None = "{}", state: str = "SUCCESS", ordinal: int = 0) -> None:
        """End one task."""
        self.sql(
            f"UPDATE qflow.task_instance SET state = {int(TaskState[state])}, attempt = 1, started_at = {self.now}, "
            f"finished_at = {self.now}, done_fence = fence, fence = fence + 1, output = {quoted(output)} "
            f"WHERE id = {number * ORDINALS + ordinal}"
        )

    def ending(self, number: int, state: str = "SUCCESS", error: str | None = None) -> str:
        """The statement that ends an instance."""
        return (
            f"UPDATE qflow.workflow_instance SET state = {int(InstanceState[state])}, error = {quoted(error)}, "
            f"finished_at = {self.now} WHERE id = {number}"
        )

    def end(self, number: int, state: str = "SUCCESS", error: str | None = None) -> None:
        self.sql(self.ending(number, state, error))

    def log(self, number: int, *messages: str, ordinal: int = 0) -> None:
        row = {"task_id": number * ORDINALS + ordinal, "fence": 1, "attempt": 1, "logged_at": "NOW", "stream": "log"}
        row |= {"level": "INFO", "logger": "app", "attributes": '{"n":1}'}
        self.sql(*(self.insert("log_line", **row, message=message) for message in messages))

    def fail(self, number: int, error: str, ordinal: int = 0) -> None:
        """A failed attempt of a task."""
        row = {"task_id": number * ORDINALS + ordinal, "fence": 0, "attempt": 1, "state": int(TaskState.FAILED)}
        row |= {"reason": 1, "started_at": "NOW", "finished_at": "NOW", "error": error}
        self.sql(self.insert("attempt", **row, traceback="Traceback: …"))
        self.finish(number, None, "FAILED", ordinal)

    def daemon(self, name: str = "desk", jobs: tuple[str, ...] = ("hello",)) -> int:
        """A daemon that is ready, with the pool `default` and jobs."""
        later = f"(SELECT {self.store.dialect.renderer.templates['clock_plus'].format('3600')})"
        row = {"name": name, "host": "here", "boot_id": "b", "pid": 1, "lock_file": "x", "version": "0.1.0", "state": 1}
        row |= {"memory_mb": 30, "started_at": "NOW", "seen_at": "NOW", "lease_ends_at": "LATER"}
        self.sql(self.insert("daemon", **row).replace("'LATER'", later))
        number = int(self.sql("SELECT MAX(id) FROM qflow.daemon")[0][0])
        texts = [self.insert("daemon_pool", daemon_id=number, pool="default", processes=2, threads=1)]
        for job in jobs:
            about = {
                "title": "",
                "params_schema": '{"type":"object"}',
                "settings": "{}",
                "hash": "h",
                "doc": "Says hello.",
            }
            texts.append(self.insert("job", name=job, file="/p/a.py", **about, updated_at="NOW"))
            texts.append(self.insert("daemon_job", daemon_id=number, job=job))
        seen = {"daemon_id": number, "hash": "h", "updated_at": "NOW"}
        texts.append(self.insert("plugin", file="/p/a.py", jobs='["hello"]', error=None, **seen))
        texts.append(self.insert("plugin", file="/p/b.py", jobs="[]", error="line 3: SyntaxError: bad", **seen))
        self.sql(*texts)
        return number

    def workflow(self, key: str, document: str, cron: str | None = None) -> None:
        """An active workflow with one version."""
        about = dict.fromkeys(("title", "description", "domain", "type"), "") | {"tags": '["a"]', "source": "file"}
        about |= {"created_at": "NOW", "updated_at": "NOW"}
        self.sql(self.insert("workflow_definition", tenant="default", workflow=key, **about))
        number = self.sql("SELECT MAX(id) FROM qflow.workflow_definition")[0][0]
        version = {"version": 1, "state": 1, "document": document, "format": "json", "hash": "h", "created_at": "NOW"}
        self.sql(self.insert("workflow_version", definition_id=number, **version))
        version_id = self.sql("SELECT MAX(id) FROM qflow.workflow_version")[0][0]
        self.sql(f"UPDATE qflow.workflow_definition SET active_version = {version_id} WHERE id = {number}")
        if cron:
            row = {"cron": cron, "timezone": "UTC", "catchup": "none", "catchup_limit": 0, "enabled": 1}
            self.sql(self.insert("schedule", definition_id=number, name="cron", next_fire_at="NOW", **row))

    def backfill(self) -> int:
        """The id of a backfill of two days, of the newest workflow."""
        about = dict.fromkeys(("calendar", "day_window"), "") | {"params": "{}", "timezone": "UTC", "tenant": "default"}
        about |= {"first_date": "2026-11-02", "last_date": "2026-11-03", "created_at": "NOW", "updated_at": "NOW"}
        counts = dict.fromkeys(("only_missing", "newest_first", "priority", "state", "run_s"), 0) | {"max_active": 4}
        definition_id = self.sql("SELECT MAX(id) FROM qflow.workflow_definition")[0][0]
        self.sql(self.insert("backfill", definition_id=definition_id, **about, **counts))
        number = int(self.sql("SELECT MAX(id) FROM qflow.backfill")[0][0])
        for place, day in enumerate((about["first_date"], about["last_date"]), start=1):
            self.sql(self.insert("backfill_date", backfill_id=number, place=place, business_date=day, state=0))
        return number


def stand_in_of(kind: str, get_server: GetServer) -> Iterator[StandIn]:
    """A fresh store with its stand-in."""
    server = get_server(kind)
    found = StandIn(server.create_store())
    yield found
    found.close()
    server.give_back(found.url)
