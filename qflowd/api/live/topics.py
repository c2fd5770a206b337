"""What can be looked at, and what has changed since the last look. One look serves all who subscribe to the same topic."""

from collections.abc import Callable
from typing import Any, Final

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.drawing.node_states import shown_of, states_of_instance
from qflowd.api.finding.instance_items import instance_items
from qflowd.api.live.topic import Data, Topic
from qflowd.api.today.notifications import find_notifications
from qflowd.api.today.overview import new_overview
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE, ORDINALS, instance_of
from qflowd.model.numbers import whole_number
from qflowd.model.states import InstanceState

NEWEST: Final = 100  # instances that the topic `instances` shows, and as many that run
MOST_CHANGED: Final = 500  # rows that a delta names; of more it says null
MOST_ROWS: Final = 20_000  # of an instance whose rows are compared one by one
MOST_LINES: Final = 200  # of a log in one event
LONGEST_LINE: Final = 4096
LONGEST_ERROR: Final = 300
ALWAYS_NEW: Final = ("now", "since")  # of an overview: they say when, not what
MANY_TOPICS: Final = 20  # of one stream


class InstancesTopic(Topic):
    """`instances`: the newest ones, and older ones that run, with how they ended."""

    kind = "instances"

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name)
        self._running: set[int] = set()

    def look(self) -> Data:
        span = {"first": 0, "last": int(max(InstanceState)), "before": LARGEST_INSTANCE + 1, "batch": NEWEST}
        rows = [row._asdict() for row in self.call.read("find_instances", **span)]
        for row in rows:
            del row["params"]
            row["error"] = row["error"] and row["error"][:LONGEST_ERROR]
        found: dict[int, Any] = {row["id"]: row for row in rows}
        running = {row.id for row in self.call.read("list_running", batch=NEWEST)}
        older = sorted((running | self._running) - found.keys(), reverse=True)
        items = found | {item.id: item for item in instance_items(self.call, older)}
        self._running = running  # not before: what has ended is looked for again after a look that failed
        return {"items": items}

    def changes(self, before: Data, now: Data) -> Data | None:
        changed = [row for key, row in now["items"].items() if before["items"].get(key) != row]
        return {"items": changed} if changed else None


class OverviewTopic(Topic):
    """`overview`: as `GET /overview`, then the fields of it that have changed. System callers also see hosts and files."""

    kind = "overview"

    def look(self) -> Data:
        found = new_overview(self.call)
        return {"overview": {field: getattr(found, field) for field in found.__struct_fields__}}

    def changes(self, before: Data, now: Data) -> Data | None:
        old, new = before["overview"], now["overview"]
        changed = {field: value for field, value in new.items() if value != old[field] and field not in ALWAYS_NEW}
        return {"overview": changed | {field: new[field] for field in ALWAYS_NEW}} if changed else None


class NotificationsTopic(Topic):
    """`notifications`: what waits for a person; whole, whenever it changes. Each caller has tokens of their own."""

    kind = "notifications"
    period_s = 3.0

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name, f"{call.caller.role:d} {call.caller.principal_id} {call.caller.is_bound:d}")

    def look(self) -> Data:
        return {"items": find_notifications(self.call)}

    def changes(self, before: Data, now: Data) -> Data | None:
        return now if now != before else None


class InstanceTopic(Topic):
    """`instance:ID`: its state, how many rows of each node are in which state, and what the box of each node shows."""

    kind = "instance"

    def __init__(self, call: Call, name: str, number: int) -> None:
        super().__init__(call, name)
        self.number = number
        self._rows_before: dict[int, tuple[int, int]] | None = None
        self._shown: tuple[Any, dict[str, Any]] = (None, {})

    def is_there(self) -> bool:
        return bool(self.call.read("watch_instance", id=self.number))

    def look(self) -> Data | None:
        head = self.call.one("watch_instance", id=self.number)
        if head is None:
            return None
        nodes = self.call.read("watch_nodes", id=self.number)
        counts: dict[str, dict[str, int]] = {}
        for row in nodes:
            counts.setdefault(str(row.node), {})[row.state] = row.tasks
        marks = tuple((row.node, row.state, row.tasks, int(row.fences)) for row in nodes)
        if self._rows_before is None:
            self._changed_rows(sum(row.tasks for row in nodes))
        return {"instance": head._asdict(), "counts": counts, "nodes": self._nodes(head.state, marks), "marks": marks}

    def changes(self, before: Data, now: Data) -> Data | None:
        changed: list[int] | None = []
        if now["marks"] != before["marks"]:
            changed = self._changed_rows(sum(mark[2] for mark in now["marks"]))
        elif now["instance"] == before["instance"]:
            return None
        nodes = {node: shown for node, shown in now["nodes"].items() if before["nodes"].get(node) != shown}
        return {"instance": now["instance"], "counts": now["counts"], "nodes": nodes, "changed": changed}

    def _nodes(self, state: str, marks: tuple[Any, ...]) -> dict[str, Any]:
        """What the box of each node shows in a graph; asked for again only when something has changed."""
        if self._shown[0] != (state, marks):
            found = states_of_instance(self.call, self.number, state)
            self._shown = (state, marks), {str(node): shown_of([states]) for node, states in found.items()}
        return self._shown[1]

    def _changed_rows(self, count: int) -> list[int] | None:
        """Ordinals of the rows that changed since the last delta; None if nobody knows, or there are many."""
        if count > MOST_ROWS:
            self._rows_before = None
            return None
        rows = {row.id: (row.state, row.fence) for row in self.call.read("watch_rows", id=self.number)}
        before, self._rows_before = self._rows_before, rows
        if before is None:
            return None
        changed = sorted(key % ORDINALS for key, value in rows.items() if before.get(key) != value)
        return changed if len(changed) <= MOST_CHANGED else None


class LogTopic(Topic):
    """`log:TASK`: lines as they come, beginning with the next one."""

    kind = "log"

    def __init__(self, call: Call, name: str, task: int) -> None:
        super().__init__(call, name)
        self.task = task
        self._after: int | None = None

    def is_there(self) -> bool:
        return bool(self.call.read("show_task", id=self.task, instance_id=instance_of(self.task)))

    def look(self) -> Data | None:
        if self._after is None:
            self._after = int(self.call.read("watch_last_line", task_id=self.task)[0].id)
            return {"lines": [], "last": self._after}
        span = {"instance_id": instance_of(self.task), "task_id": self.task, "after": self._after, "batch": MOST_LINES}
        rows = self.call.read("watch_log", **span)
        if rows:
            self._after = rows[-1].id
        return {"lines": [_line(row) for row in rows], "last": self._after}

    def changes(self, before: Data, now: Data) -> Data | None:
        return now if now["lines"] else None


class BatchTopic(Topic):
    """`batch:ID`: how far a command for many instances has come."""

    kind = "batch"

    def __init__(self, call: Call, name: str, number: int) -> None:
        super().__init__(call, name)
        self.number = number

    def is_there(self) -> bool:
        return bool(self.call.read("watch_command", id=self.number))

    def look(self) -> Data | None:
        row = self.call.one("watch_command", id=self.number)
        return None if row is None else {"batch": row._asdict()}

    def changes(self, before: Data, now: Data) -> Data | None:
        return now if now != before else None


def _line(row: Any) -> dict[str, Any]:
    """A line of a log as it is sent: the id of its task is a string, a long message is cut."""
    message = row.message
    cut = message[:LONGEST_LINE] + " …" if len(message) > LONGEST_LINE else message
    shown: dict[str, Any] = row._asdict()
    return shown | {"task_id": str(row.task_id), "message": cut}


PLAIN: Final[dict[str, Callable[[Call, str], Topic]]] = {
    kind.kind: kind for kind in (InstancesTopic, OverviewTopic, NotificationsTopic)
}
NUMBERED: Final[dict[str, type[InstanceTopic] | type[LogTopic] | type[BatchTopic]]] = {
    kind.kind: kind for kind in (InstanceTopic, LogTopic, BatchTopic)
}


def read_topic(call: Call, name: str) -> Topic:
    """The topic of this name.

    Raises: ApiFault 40002 if there is none.
    """
    kind, colon, number = name.partition(":")
    if not colon and kind in PLAIN:
        return PLAIN[kind](call, name)
    largest = LARGEST_INSTANCE if kind == InstanceTopic.kind else ABOVE_ALL_IDS - 1
    if colon and kind in NUMBERED and (id := whole_number(number, 19)) is not None and id <= largest:
        return NUMBERED[kind](call, name, id)
    there = ", ".join([*PLAIN, *[f"{kind}:ID" for kind in NUMBERED]])
    raise ApiFault(40002, f"topics: there is no topic {name[:60]!r}; there are {there}")
