"""Commands on limits: how large they are, their breakers, and whether anything that needs them may begin.

Every claim locks the limits that it takes slots of, so a command holds from its commit on. What is held is never taken back.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from qflowd.config.records import LimitConfig, read_over
from qflowd.define.fields import Fields
from qflowd.define.readers import text
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    refuse_faults,
    refuse_other_targets,
    verb,
)
from qflowd.engine.limits import limit_settings
from qflowd.engine.limits.limit_settings import Size
from qflowd.engine.refusal import Refused, no_such
from qflowd.model.breaker import read_breaker
from qflowd.model.durations import parse_period
from qflowd.model.instants import FOREVER
from qflowd.model.limits import MOST_SLOTS, fault_in_limit
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

TOPICS: Final = ("ready",)


class Wanted(NamedTuple):
    """A limit, its row of `find_limit` if it is there, and what `args` say beside its name."""

    name: str
    row: Any
    values: Any


def settable(tx: Tx, command: Command) -> Wanted:
    """The limit or pattern that `args` name, and how large it is wanted: what `args` leave out stays as it is.

    Raises: Refused with every fault.
    """
    fields = _args(command)
    name = fields.need("limit", _pattern, "")
    row = tx.one("find_limit", name=name)
    if row is not None and row.source == "quota":
        raise Refused(f"limit {name} is the quota running_tasks of a tenant; `qflowd tenants quota` changes it")
    before = limit_settings.sizes(tx, [name])[name]
    _refuse_stale(name, fields.take("etag", text, None), before)
    is_unsaid = before.source == "default" or (before.rates and before.slots == MOST_SLOTS)
    slots = None if is_unsaid else before.slots
    breaker = before.breaker and read_breaker(before.breaker)
    limit = read_over(LimitConfig(slots, tuple(json.loads(before.rates or "[]")), breaker or None), fields)
    if fields.data.get("breaker") is False:
        limit = replace(limit, breaker=None)
    if fields.data.keys() <= {"limit", "etag"}:
        fields.fault("needs slots, rate or breaker")
    refuse_faults(fields)
    return Wanted(name, row, limit)


def existing(tx: Tx, command: Command) -> Wanted:
    """The limit or pattern that `args` name. Raises: Refused if there is none."""
    fields = _args(command)
    etag = fields.take("etag", text, None)
    found = _existing(tx, fields, None)
    _refuse_stale(found.name, etag, limit_settings.sizes(tx, [found.name])[found.name])
    return found


def with_breaker(tx: Tx, command: Command) -> Wanted:
    """The limit that `args` name, and how long its breaker is to be open. Raises: Refused if there is none, or no breaker."""
    fields = _args(command)
    wanted = _existing(tx, fields, fields.take("for", parse_period, None), may_be_pattern=False)
    if wanted.row.breaker is None:
        raise Refused(
            f"limit {wanted.name} has no breaker; `qflowd limits set {wanted.name} --breaker 5/min` gives it one"
        )
    return wanted


def pausable(tx: Tx, command: Command) -> Wanted:
    """The limit that `args` name, and how long it is to be paused. Raises: Refused if there is none, or for a pattern."""
    fields = _args(command)
    return _existing(tx, fields, fields.take("for", parse_period, None), may_be_pattern=False)


def resumable(tx: Tx, command: Command) -> Wanted:
    """The limit that `args` name. Raises: Refused if there is none, or for a pattern."""
    return _existing(tx, _args(command), None, may_be_pattern=False)


@verb("set_limit", needs=settable, args=None, not_possible="limit {limit} cannot be set")
def set_limit(tx: Tx, command: Command, wanted: Wanted, _: Caches) -> Reply:
    """Set the slots, rates or breaker of a limit or pattern, whatever the configuration says, until `unset_limit`."""
    is_new = wanted.row is None
    if is_new:  # what is not there cannot be locked: who makes it second looks at what the first has set
        limit_settings.make_limits(tx, [wanted.name])
        wanted = settable(tx, command)
        is_new = wanted.row.source in limit_settings.DERIVED
    size = limit_settings.size_of(wanted.values, "command")
    new = {"new": _news(tx, wanted.name)} if is_new else {}
    limit_settings.write_sizes(tx, {wanted.name: size}, command.requested_by, command.reason)
    return Reply(_shown(wanted, size) | new, TOPICS)


@verb("unset_limit", needs=existing, args=None, not_possible="limit {limit} was not set by a command, but by: {source}")
def unset_limit(tx: Tx, _: Command, wanted: Wanted, __: Caches) -> Reply:
    """Let a limit be what the configuration, a pattern or the default says.

    Raises: NotPossible if no command has set it.
    """
    if wanted.row.source != "command":
        raise NotPossible(limit=wanted.name, source=wanted.row.source)
    limit_settings.unset(tx, wanted.row)
    return Reply(_shown(wanted, limit_settings.sizes(tx, [wanted.name])[wanted.name]), TOPICS)


@verb("pause_limit", needs=pausable, args=None, not_possible="limit {limit} cannot be paused")
def pause_limit(tx: Tx, command: Command, wanted: Wanted, _: Caches) -> Reply:
    """Let nothing begin that needs a limit, for a while or until `resume_limit`. What runs continues."""
    until = FOREVER if wanted.values is None else tx.now + timedelta(seconds=wanted.values)
    about: dict[str, Any] = {"paused_by": command.requested_by or "a command", "pause_reason": command.reason}
    about["paused_at"] = tx.now if wanted.values is None else None
    tx.run("pause_limit", name=wanted.name, resumes_at=until, **about)
    shown = None if wanted.values is None else until.isoformat()
    return Reply({"limit": wanted.name, "used": wanted.row.used, "resumes_at": shown}, TOPICS)


@verb("resume_limit", needs=resumable, args=None, not_possible="limit {limit} is not paused")
def resume_limit(tx: Tx, _: Command, wanted: Wanted, __: Caches) -> Reply:
    """End a pause, by whomever.

    Raises: NotPossible if there is none.
    """
    if wanted.row.resumes_at is None or wanted.row.resumes_at <= tx.now:
        raise NotPossible(limit=wanted.name)
    nothing: dict[str, Any] = dict.fromkeys(("resumes_at", "paused_at", "paused_by", "pause_reason"))
    tx.run("pause_limit", name=wanted.name, **nothing)
    return Reply({"limit": wanted.name}, TOPICS)


@verb("open_breaker", needs=with_breaker, args=None, not_possible="the breaker of limit {limit} cannot be opened")
def open_breaker(tx: Tx, command: Command, wanted: Wanted, _: Caches) -> Reply:
    """Let nothing begin that needs a limit, for a while; then one task tries."""
    open_s = wanted.values or read_breaker(wanted.row.breaker).open_s
    until = tx.now + timedelta(seconds=open_s)
    why = f"opened by {command.requested_by or 'a command'}" + (f": {command.reason}" if command.reason else "")
    tx.run("save_breakers", rows=[(wanted.name, None, tx.now, until, why)])
    return Reply({"limit": wanted.name, "retries_at": until.isoformat()}, TOPICS)


@verb("close_breaker", needs=with_breaker, args=None, not_possible="the breaker of limit {limit} is closed")
def close_breaker(tx: Tx, _: Command, wanted: Wanted, __: Caches) -> Reply:
    """Let everything begin that needs a limit, untried.

    Raises: NotPossible if it may anyway.
    """
    if wanted.row.tripped_at is None:
        raise NotPossible(limit=wanted.name)
    tx.run("save_breakers", rows=[(wanted.name, None, None, None, None)])
    return Reply({"limit": wanted.name}, TOPICS)


def _args(command: Command) -> Fields:
    """What a command says, which is all in its `args`. Raises: Refused."""
    refuse_other_targets(command)
    return fields_of_args(command)


def _refuse_stale(name: str, etag: str | None, now: Size) -> None:
    """Raises: Refused if a command is meant for other settings than these, which nobody changes until the transaction ends."""
    if etag not in (None, limit_settings.etag_of(now)):
        raise Refused(f"limit {name} was changed meanwhile; its etag is {limit_settings.etag_of(now)}", Refusal.STALE)


def _existing(tx: Tx, fields: Fields, values: Any, *, may_be_pattern: bool = True) -> Wanted:
    name = fields.need("limit", _pattern if may_be_pattern else _limit, "")
    fields.close()
    refuse_faults(fields)
    row = tx.one("find_limit", name=name)
    if row is None:
        raise no_such("limit", name, [each.name for each in tx.run("list_limits")], "limits")
    return Wanted(name, row, values)


def _pattern(value: Json) -> str:
    if fault := fault_in_limit(value, may_be_pattern=True):
        raise ValueError(fault)
    return str(value)


def _limit(value: Json) -> str:
    if isinstance(value, str) and value.endswith("*"):
        raise ValueError(f"{value} is a pattern; name one of the limits that fit it, `qflowd limits` lists them")
    return _pattern(value)


def _news(tx: Tx, name: str) -> str:
    """What to tell of a limit that is set before anything has named it: it may be mistyped."""
    near = did_you_mean(name, [row.name for row in tx.run("list_limits") if row.name != name])
    return f"nothing has named limit {name!r} before{near if near.endswith('?') else ''}"


def _shown(wanted: Wanted, size: Size) -> dict[str, Json]:
    used = 0 if wanted.row is None else wanted.row.used
    rates = json.loads(size.rates or "[]")
    shown = {"limit": wanted.name, "slots": size.slots, "rate": rates, "source": size.source, "used": used}
    return shown | ({"breaker": json.loads(size.breaker)} if size.breaker else {})
