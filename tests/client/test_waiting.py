"""Why an instance does not continue, as the client says it."""

from __future__ import annotations

import pytest


def test_a_wait_that_ends_too_soon_says_what_the_instance_waits_for(client, engine):
    instance = client.submit(job="hello")
    with pytest.raises(TimeoutError, match=r"waits for a daemon; none is running, `qflowd run` starts one"):
        instance.wait(0)
    engine.admit(instance.id)
    with pytest.raises(TimeoutError, match="no daemon is running"):
        instance.wait(0)
    assert [task.wait_reason for task in instance.tasks()] == ["no daemon is running"]
    engine.daemon(jobs=())
    with pytest.raises(TimeoutError, match="no live daemon knows job hello"):
        instance.wait(0)
    engine.sql(engine.insert("daemon_job", daemon_id=engine.sql("SELECT MAX(id) FROM qflow.daemon")[0][0], job="hello"))
    with pytest.raises(TimeoutError, match=r"within 0 s: waits for a free slot in pool default$"):
        instance.wait(0)
    engine.sql("DELETE FROM qflow.daemon_pool")
    assert instance.wait_reason() == "no live daemon has pool default"
