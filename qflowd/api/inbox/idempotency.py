"""Idempotency: a request with the header Idempotency-Key may be repeated, and gets the first answer. Kept for a day.

The key is written in the transaction of what the request does: whatever crashes between, both are there or neither is.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import msgspec

from qflowd.api.answers import ApiAnswer, ApiFault, Problem
from qflowd.api.call import Call
from qflowd.client.records import from_json
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.workflow import Json
from qflowd.store.clock import boottime
from qflowd.store.tx import Tx

HEADER: Final = "idempotency-key"
KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 200
CLEANED_EVERY_S: Final = 600.0


def key_of(call: Call) -> str | None:
    """The key of a request; None if it has none.

    Raises: ApiFault 42202 for one that cannot be kept.
    """
    key = call.request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        message = f"must have 1 to {LONGEST_KEY} printable characters"
        raise ApiFault(42202, f"Idempotency-Key {message}", [Problem(where="Idempotency-Key", message=message)])
    return key


def write_once(call: Call, write: Callable[[Tx], dict[str, Json]]) -> dict[str, Json]:
    """What `write` returns, done in a transaction. Of a request that repeats another one: what that was answered.

    Args:
        write: safe to replay; what it returns must be JSON, and holds no secret.

    Raises: ApiFault 40905 if the key belongs to a request with other content; whatever `write` raises, and then the key
        is free.
    """
    key = key_of(call)
    if key is None:
        return call.change(write)
    about: dict[str, Any] = {"tenant": call.tenant, "name": key}
    digest, request = _digest(call), call.request.request_id

    def write_with_key(tx: Tx) -> dict[str, Json]:
        tx.run("delete_old_http_key", **about, since=tx.now - KEPT)
        tx.run("insert_http_key", **about, content_hash=digest, request=request, now=tx.now)
        first = tx.one("load_http_key", **about)
        if first.content_hash != digest:
            raise ApiFault(40905, f"Idempotency-Key {key!r} was used with other content; take another one")
        if first.request != request:
            return from_json(first.answer)  # type: ignore[no-any-return]
        answer = write(tx)
        tx.run("answer_http_key", **about, answer=jsontext.dump(answer))
        return answer

    answer = call.change(write_with_key)
    _CLEANER.clean(call)
    return answer


def answer_once(call: Call, work: Callable[[Tx], ApiAnswer], *, secret: str = "") -> ApiAnswer:
    """The answer that `work` makes of what it does in a transaction; of a request that repeats another one: the first answer.

    `secret`: what the answer holds that is never stored. A repetition is then told that it was made, and what to do.

    Raises: as `write_once`; ApiFault 40901 to a repetition that asks for a secret.
    """
    if key_of(call) is None:
        return call.change(work)
    own: list[ApiAnswer] = []

    def write(tx: Tx) -> dict[str, Json]:
        answer = work(tx)
        own[:] = [answer]
        shown = None if secret else msgspec.to_builtins(answer.data)
        about: dict[str, Json] = {"status": answer.status, "headers": dict(answer.headers), "etag": answer.etag}
        return about | {"data": shown, "request": call.request.request_id}

    first = write_once(call, write)
    if first.pop("request") == call.request.request_id:
        return own[0]
    if secret:
        raise ApiFault(40901, f"the first request with this Idempotency-Key has made it, and {secret}")
    return ApiAnswer(**first)


def _digest(call: Call) -> str:
    """Of what a request asks for. Spaces and the order of keys do not count, nor does how long it waits."""
    request = call.request
    body = json.dumps(jsontext.parse(request.body, "the body", 1 << 24), sort_keys=True) if request.body else ""
    query = sorted(pair for pair in request.query if pair[0] != "wait")
    asked = json.dumps([request.method, request.path, query, body])
    return hashlib.sha256(asked.encode()).hexdigest()


class _Cleaner:
    """Removes keys whose time is over, now and then."""

    def __init__(self) -> None:
        self._due_at, self._lock = 0.0, threading.Lock()

    def clean(self, call: Call) -> None:
        """Remove them if that is due."""
        with self._lock:
            if boottime() < self._due_at:
                return
            self._due_at = boottime() + CLEANED_EVERY_S
        with contextlib.suppress(StoreUnavailable):  # what was asked for is done
            call.change(lambda tx: tx.run("delete_old_http_keys", since=tx.now - KEPT))


_CLEANER: Final = _Cleaner()
