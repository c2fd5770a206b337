"""Writing task types and task definitions: both are documents, stored by the same verb as through the inbox."""

import json
from collections.abc import Mapping
from typing import Any

from qflowd.api.access.authorization import refuse_defining
from qflowd.api.answers import ApiAnswer, ApiFault, Item, Problem
from qflowd.api.call import Call
from qflowd.api.definitions.items import WORDS, Kind, document_of
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.reading import need_if_match
from qflowd.define.task_definitions import read_definition
from qflowd.engine.access.audit import record
from qflowd.engine.definitions.definition_store import claim_name, remove_definition
from qflowd.engine.definitions.workflow_store import digest_of
from qflowd.model.errors import NotFound
from qflowd.store.tx import Tx

Data = dict[str, Any]


class MadeDefinition(Item):
    """A task type or definition that was stored. `workflows`: those that got a new version of it, which is active."""

    name: str
    kind: str
    hash: str
    workflows: Mapping[str, int]


class GoneDefinition(Item):
    """A task type or definition that was removed."""

    name: str
    kind: str


def with_settings(own: Data, settings: Mapping[str, Any] | None) -> Data:
    """A document of what has a field of its own, and of the rest; what is null in either is left out.

    Raises: ApiFault 42202 for a setting that has a field of its own.
    """
    if twice := sorted((settings or {}).keys() & own.keys()):
        faults = [Problem(f"settings.{name}", "stands beside settings, not in it") for name in twice]
        raise ApiFault(42202, f"{faults[0].where}: {faults[0].message}", faults)
    given = {name: value for name, value in own.items() if value is not None}
    return given | {name: value for name, value in (settings or {}).items() if value is not None}


def create(call: Call, kind: Kind, name: str, document: Data, reason: str | None) -> ApiAnswer:
    """Store what is new. Raises: NameTaken; InvalidWorkflow; Refused; ApiFault 40302."""
    refuse_defining(call, None)

    def work(tx: Tx) -> ApiAnswer:
        claim_name(tx, call.tenant, name, kind)
        stored = _store(tx, call, name, document, reason)
        record(tx, call.actor, "CREATE", _object_type(kind), name, after=document)
        return ApiAnswer(stored, status=201, etag=stored.hash)

    return answer_once(call, work)


def update(call: Call, row: Any, document: Data, reason: str | None) -> ApiAnswer:
    """Store another state of what there is (a row of `show_task_definition`).

    Raises: InvalidWorkflow; Refused; ApiFault 40302, 42801, 41201.
    """
    refuse_defining(call, None)

    def work(tx: Tx) -> MadeDefinition:
        before = _locked(tx, call, row)
        stored = _store(tx, call, row.name, document, reason)
        record(tx, call.actor, "UPDATE", _object_type(row.kind), row.name, before=before, after=document)
        return stored

    stored = call.change(work)
    return ApiAnswer(stored, etag=stored.hash)


def delete(call: Call, row: Any) -> GoneDefinition:
    """Remove what nothing uses. Raises: Refused 40903, 40906; ApiFault 40302, 42801, 41201."""
    refuse_defining(call, None)

    def work(tx: Tx) -> GoneDefinition:
        _locked(tx, call, row)
        remove_definition(tx, call.tenant, row.name)
        record(tx, call.actor, "DELETE", _object_type(row.kind), row.name, before=document_of(row))
        return GoneDefinition(name=row.name, kind=row.kind)

    return call.change(work)


def _locked(tx: Tx, call: Call, row: Any) -> Data:
    """Keep others from changing it; what it says now. Raises: NotFound; ApiFault 42801, 41201."""
    tx.run("lock_task_definition", tenant=call.tenant, name=row.name)
    now = tx.one("show_task_definition", tenant=call.tenant, kind=row.kind, name=row.name, id=-1, number_first=0)
    if now is None:
        raise NotFound(f"{WORDS[row.kind]} {row.name!r} was removed meanwhile")
    head = "task_type" if row.kind == "type" else "task"
    current = {head: row.name, **document_of(now)}
    need_if_match(call, now.hash, current)
    return current


def _store(tx: Tx, call: Call, name: str, document: Data, reason: str | None) -> MadeDefinition:
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    read_definition(text, "json", "")  # with the place of each fault
    args = {"source": text, "format": "json", "file": name}
    result = do_verb(tx, call, "define_task", reason, args=args)
    return MadeDefinition(name=name, kind=result["kind"], hash=digest_of(text), workflows=result["workflows"])


def _object_type(kind: str) -> str:
    return f"task_{kind}"
