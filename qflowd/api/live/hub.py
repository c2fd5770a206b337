"""The hub: a thread that looks at what is subscribed to, and hands what changed to all subscribers of it.

However many look at a topic, it costs one look; without subscribers no statement is run. Topics whose looks take long are
looked at less often, so that the hub uses at most a twentieth of a connection for all of them.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec

from qflowd.api.live.topic import Data, Topic
from qflowd.model.errors import QueryTooSlow, StoreUnavailable
from qflowd.model.numbers import whole_number

log = logging.getLogger("qflowd.api")
SHARE: Final = 1 / 20  # of the time, for all looks together
KEPT_EVENTS: Final = 1000  # of a topic, for those who come back
KEPT_BYTES: Final = 256 << 10  # of these
KEPT_S: Final = 30.0  # how long a topic is kept that nobody looks at
MOST_UNSENT: Final = 64 << 10  # bytes that a subscriber may leave unread

Kind = Literal["snapshot", "delta", "log", "resync", "bye"]


class StreamEvent(NamedTuple):
    """What a subscriber is sent. `number`: counts through all events of the hub; 0 has no place among them."""

    number: int
    kind: Kind
    data: bytes


@dataclass(eq=False)
class Subscriber:
    """One stream. `wake` is called, from the hub's thread, when there is something to send."""

    wake: Callable[[], None]
    principal: str = ""
    unsent: deque[StreamEvent] = field(default_factory=deque)
    size: int = 0
    is_over: bool = False

    def begin(self, events: Iterable[StreamEvent]) -> None:
        """What there is when a stream begins, however much that is."""
        for event in events:
            self.unsent.append(event)
        self.wake()

    def give(self, event: StreamEvent) -> None:
        """Add an event; who has left too much unread gets `resync` instead of it all, and nothing more."""
        if self.is_over:
            return
        if self.size + len(event.data) > MOST_UNSENT and self.unsent:
            self.unsent.clear()
            event = StreamEvent(0, "resync", b"{}")
        self.is_over = event.kind in ("resync", "bye") and event.number == 0
        self.unsent.append(event)
        self.size += len(event.data)
        self.wake()

    def take(self) -> StreamEvent | None:
        """The next event to send."""
        if not self.unsent:
            return None
        event = self.unsent.popleft()
        self.size = max(0, self.size - len(event.data))
        return event


@dataclass(eq=False)
class _Watched:
    """A topic with those who look at it, and what they have been told."""

    topic: Topic
    subscribers: set[Subscriber] = field(default_factory=set)
    state: Data | None = None
    events: deque[StreamEvent] = field(default_factory=deque)
    kept_bytes: int = 0
    forgotten: int = 0  # the greatest number that is not kept any more
    due_at: float = 0.0
    took_s: deque[float] = field(default_factory=lambda: deque((0.0, 0.0, 0.0), maxlen=3))  # the last looks
    share: float = 0.0  # of the time that its looks take
    left_at: float = 0.0  # when the last subscriber left

    @property
    def cost_s(self) -> float:
        """What a look costs: the median, as one long one says nothing. The database may have stood still."""
        return sorted(self.took_s)[1]

    def add(self, event: StreamEvent) -> None:
        self.events.append(event)
        self.kept_bytes += len(event.data)
        while len(self.events) > KEPT_EVENTS or self.kept_bytes > KEPT_BYTES:
            oldest = self.events.popleft()
            self.kept_bytes -= len(oldest.data)
            self.forgotten = oldest.number
        for subscriber in tuple(self.subscribers):
            subscriber.give(event)


def share_of(cost_s: float, period_s: float, others: float, topics: int) -> float:
    """The share of the time for looks that take `cost_s`: what `period_s` needs, if so much is left.

    `others`: what the looks at the other ones of these `topics` take. An equal part is there for each, whatever they take.
    """
    return min(cost_s / period_s, max(SHARE - others, SHARE / topics))


class Hub:
    """Made with the application; its thread starts with the first subscriber."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)  # of this process: events of another are unknown here
        self._watched: dict[tuple[str, str, str], _Watched] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._number = 0
        self._is_closed = False

    def count_streams(self, principal: str) -> tuple[int, int]:
        """How many streams there are, and how many of them are this principal's."""
        with self._lock:
            streams = {each for watched in self._watched.values() for each in watched.subscribers}
        return len(streams), sum(each.principal == principal for each in streams)

    def subscribe(self, topics: Iterable[Topic], subscriber: Subscriber, last_event: str | None = None) -> None:
        """Have a subscriber told of these topics: first what is there, or what has come since the event it names."""
        since = self._since(last_event)
        with self._lock:
            watched = [
                self._watched.setdefault((each.tenant, each.name, each.audience), _Watched(each)) for each in topics
            ]
            is_known = since is not None and all(each.forgotten <= since and each.state is not None for each in watched)
            first: list[StreamEvent] = []
            if last_event is not None and not is_known:
                first.append(StreamEvent(self._next(), "resync", b"{}"))
            for each in watched:
                each.subscribers.add(subscriber)
                if is_known:
                    first += [event for event in each.events if event.number > (since or 0)]
                elif each.state is not None:
                    first.append(self._event("snapshot", each.topic, each.state))
            # Whoever has heard the last of them has heard them all; whoever comes back before begins anew.
            first.sort(key=lambda event: event.number)
            first[:-1] = [event._replace(number=0) for event in first[:-1]]
            subscriber.begin(first)
            if self._is_closed:
                subscriber.give(StreamEvent(0, "bye", b"{}"))
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name="qflowd-hub", daemon=True)
                self._thread.start()
        self._wake.set()

    def leave(self, subscriber: Subscriber) -> None:
        """A stream has ended."""
        with self._lock:
            for watched in self._watched.values():
                if subscriber in watched.subscribers:
                    watched.subscribers.discard(subscriber)
                    watched.left_at = time.monotonic()

    def close(self) -> None:
        """Say goodbye to all, and end."""
        self._is_closed = True
        self._wake.set()
        with self._lock:
            for watched in self._watched.values():
                for subscriber in watched.subscribers:
                    subscriber.give(StreamEvent(0, "bye", b"{}"))

    def join(self, timeout_s: float) -> None:
        """After `close`: wait for a look that is under way, as it has a connection."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _since(self, last_event: str | None) -> int | None:
        epoch, _, number = (last_event or "").partition(".")
        return whole_number(number) if epoch == self.epoch else None

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _event(self, kind: Kind, topic: Topic, data: Data) -> StreamEvent:
        shown = {key: value for key, value in data.items() if key != "marks"}
        return StreamEvent(self._next(), kind, msgspec.json.encode({"topic": topic.name, **shown}))

    # -- its thread

    def _run(self) -> None:
        while not self._is_closed:
            self._wake.clear()
            with self._lock:
                self._forget()
                looked_at = [each for each in self._watched.values() if each.subscribers]
            now = time.monotonic()
            for watched in looked_at:
                if watched.due_at <= now and not self._is_closed:
                    self._look(watched, looked_at)
            due_at = min((each.due_at for each in looked_at), default=time.monotonic() + KEPT_S)
            self._wake.wait(max(0.0, due_at - time.monotonic()) if self._watched else None)

    def _forget(self) -> None:
        """Drop topics that nobody has looked at for a while."""
        now = time.monotonic()
        for key, each in list(self._watched.items()):
            if not each.subscribers and now - each.left_at > KEPT_S:
                del self._watched[key]

    def _look(self, watched: _Watched, looked_at: Sequence[_Watched]) -> None:
        began, is_away = time.monotonic(), False
        try:
            now, before = watched.topic.look(), watched.state
            changed = None if now is None or before is None else watched.topic.changes(before, now)
            with self._lock:
                self._tell(watched, now, changed)
        except StoreUnavailable as error:
            is_away = not isinstance(error, QueryTooSlow)
            log.warning("live stream: %s", error)
        except Exception:
            log.exception("live stream: topic %s", watched.topic.name)
        ended, period_s = time.monotonic(), watched.topic.period_s
        watched.took_s.append(0.0 if is_away else ended - began)
        others = sum(each.share for each in looked_at if each is not watched)
        watched.share = share_of(watched.cost_s, period_s, others, len(looked_at))
        watched.due_at = ended + (watched.cost_s / watched.share if watched.share else period_s)

    def _tell(self, watched: _Watched, now: Data | None, changed: Data | None) -> None:
        if now is None:
            return
        if watched.state is None:
            watched.add(self._event("snapshot", watched.topic, now))
        elif changed is not None:
            watched.add(self._event("log" if watched.topic.kind == "log" else "delta", watched.topic, changed))
        watched.state = now
