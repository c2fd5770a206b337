"""A store with a set clock, and the service of schedules on it."""

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.schedules import Schedules
from qflowd.engine.definitions.workflow_store import store_workflow
from qflowd.engine.service import Topics
from tests.support.clock import SetClock
from tests.support.sql import run_sql


class Desk:
    """A store with a set clock, and the service on it."""

    def __init__(self, lab):
        self.url, self.store = lab.url, lab.store
        self.clock = self.store.clock = SetClock()
        self.published = []
        topics = Topics()
        topics.subscribe("submission", lambda: self.published.append("submission"))
        self.service = Schedules(self.store, topics)

    def define(self, schedule, key="daily", **more):
        """Store a workflow as its file would be."""
        schedule = schedule if schedule.startswith("{") or schedule == "null" else f"'{schedule}'"
        text = f"workflow: {key}\nschedule: {schedule}\ntasks: {{a: {{job: j}}}}\n"
        return self.store_text(text + "".join(f"{name}: {value}\n" for name, value in more.items()))

    def store_text(self, text):
        """Store a workflow as a file with this text would be."""
        workflow = parse(text, "yaml", "daily.yaml")
        arguments = {"source": text, "format": "yaml", "file": "/w/daily.yaml", "pool_of": lambda job: None}
        return self.store.transact(lambda tx: store_workflow(tx, workflow, **arguments))

    def tick(self, at=None):
        """One round at an instant; the seconds it wants to wait."""
        if at is not None:
            self.clock.time = at
        return self.service.tick()

    def sql(self, text):
        return run_sql(self.store, text)

    def fires(self):
        """What was fired, in order; each has exactly one submission."""
        connection = self.store.connection()
        named = self.store.read(lambda tx: [tx.one("fire_of_submission", id=n) for n in self.submissions()])
        assert connection.script("SELECT COUNT(*) FROM qflow.schedule_fire WHERE is_missed = 0")[0][0] == len(named)
        return [fire.fire_at for fire in named]

    def submissions(self):
        return [row[0] for row in self.sql("SELECT id FROM qflow.submissions ORDER BY id")]

    def schedule(self):
        [row] = self.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
        return row
