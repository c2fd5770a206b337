"""The watch says that it sleeps before it does: else nobody would ring."""

import pytest

from qflowd.engine.watch import Watch
from qflowd.model.errors import StoreUnavailable


@pytest.fixture
def postgres_lab(open_lab):
    found = open_lab("postgres")
    yield found
    found.close()


def asleep(lab):
    return lab.sql("SELECT daemon_id, is_asleep FROM qflow.waker ORDER BY daemon_id")


def test_what_an_outage_kept_from_being_said_is_said_again(postgres_lab, monkeypatch):
    lab = postgres_lab
    watch = Watch(lab.store, lab.topics, lambda: 7)
    monkeypatch.setattr(watch._alarm, "wait", lambda *, is_busy: None)
    transact = lab.store.transact

    def fail(*_, **__):
        raise StoreUnavailable("away")

    monkeypatch.setattr(lab.store, "transact", fail)
    with pytest.raises(StoreUnavailable):
        watch.tick()
    monkeypatch.setattr(lab.store, "transact", transact)
    watch.tick()
    assert asleep(lab) == [(7, 1)]
    watch.close()


def test_another_incarnation_says_it_anew(postgres_lab, monkeypatch):
    lab, numbers = postgres_lab, [7]
    watch = Watch(lab.store, lab.topics, lambda: numbers[-1])
    monkeypatch.setattr(watch._alarm, "wait", lambda *, is_busy: None)
    watch.tick()
    numbers.append(8)
    watch.tick()
    assert asleep(lab) == [(7, 1), (8, 1)]
    watch.close()
