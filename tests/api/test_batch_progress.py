"""How far a batch has come over HTTP: step by step, without a daemon."""

from __future__ import annotations

import pytest

from qflowd.engine.commands import bulk
from tests.support.http import ApiServer
from tests.support.lab import Lab


def test_how_far_a_batch_is_and_what_a_cancelled_one_left(own_api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LOOKS", 3)
    lab = Lab(own_api.url)
    lab.workflow("chain", {"a": []})
    for _ in range(24):
        lab.start("chain", hold=1)
    ask = {"action": "terminate", "where": {"workflow": "chain"}, "reason": "x"}
    batch = own_api.post("/batches?wait=0", ask).data
    fields = ("state", "total", "left", "done")
    assert [batch[name] for name in fields] == ["NEW", None, None, 0], "nobody has counted yet"
    lab.commands.tick()
    path = f"/batches/{batch['id']}"
    assert [own_api.get(path).data[name] for name in fields] == ["NEW", 24, 21, 3]
    assert own_api.post(f"{path}/cancel?wait=0", {"reason": "too many"}).status == 202
    while own_api.get(path).data["state"] == "NEW":  # a cancel whose rows are locked is carried out a step later
        lab.commands.tick()
    shown = own_api.get(path).data
    done = shown["done"]
    assert [shown[name] for name in fields] == ["DONE", 24, 24 - done, done]
    assert 3 <= done < 24
    again = own_api.post("/batches?wait=0", ask).data["id"]
    while own_api.get(f"/batches/{again}").data["state"] == "NEW":
        lab.commands.tick()
    shown = own_api.get(f"/batches/{again}").data
    assert (shown["total"], shown["left"], shown["done"], shown["failed"]) == (24, 0, 24 - done, done)
    lab.close()
