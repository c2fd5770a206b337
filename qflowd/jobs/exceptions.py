"""What a job raises to end otherwise than by a return or an error."""

from datetime import datetime

from qflowd.model.limits import fault_in_limit


class _ForReason(Exception):
    def __init__(self, reason: str = "") -> None:
        self.reason = str(reason)
        super().__init__(self.reason)


class Skip(_ForReason):
    """Ends the task SKIPPED; `reason` is shown as its error text."""


class Fail(_ForReason):
    """Ends the task FAILED, whatever retries are left: `reason`, its error text, is nothing that time repairs."""


class NotYet(_ForReason):
    """Raised by the `poll` of a job in two phases: it is not there; look again. `reason` is shown while it waits."""


class _Later(Exception):
    """Carries an instant: exactly one of `delay_s` (seconds from now, 0 or more) and `until` (with a time zone).

    Raises: ValueError for neither or both, a negative delay, or an instant without a time zone.
    """

    def __init__(self, delay_s: float | None = None, *, until: datetime | None = None, reason: str = "") -> None:
        name = type(self).__name__
        if (delay_s is None) == (until is None):
            raise ValueError(f"{name} takes either delay_s or until")
        if delay_s is not None and not 0 <= delay_s < float("inf"):
            raise ValueError(f"{name}: delay_s must be 0 or more seconds, not {delay_s!r}")
        if until is not None and until.tzinfo is None:
            raise ValueError(f"{name}: until needs a time zone, such as tzinfo=UTC")
        self.delay_s = delay_s
        self.until = until
        self.reason = str(reason)
        super().__init__(self.reason or (f"until {until.isoformat()}" if until is not None else f"for {delay_s:g} s"))


class Defer(_Later):
    """Gives the slot back: the row waits for a timer and runs again, no attempt counted.

    Exactly one of `delay_s` (seconds from now, 0 or more) and `until` (with a time zone) is given. `reason` is shown
    as the reason why the task waits.
    What the job kept with `context().save()` is there again as `context().saved`.
    Raises: ValueError for neither or both, a negative delay, or an instant without a time zone.
    """


class RetryLater(Defer):
    """As `Defer`, and until then nothing else begins that takes slots of `limit`, on any daemon: the vendor refuses all.

    Raises: as `Defer`; ValueError if `limit` cannot be the name of a limit.
    """

    def __init__(
        self, delay_s: float | None = None, *, limit: str, until: datetime | None = None, reason: str = ""
    ) -> None:
        super().__init__(delay_s, until=until, reason=reason)
        if fault := fault_in_limit(limit):
            raise ValueError(f"RetryLater: {fault}")
        self.limit = limit


class RetryAfter(_Later):
    """The attempt has failed, with `reason` as its error text; the next one starts then, not after `retry_delay`.

    Arguments and errors are those of `Defer`. It counts as an attempt: where `retries` leave no other, the task is FAILED.
    """


class Cancelled(BaseException):
    """Raised by `context().raise_if_cancelled()`; no `except Exception` of the job swallows it."""
