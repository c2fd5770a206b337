"""Who a daemon is: its lock file on the host, and the clock that it goes by."""

import contextlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from qflowd.engine.membership.identity import Identity, run_dir_for
from qflowd.store.clock import EPOCH, DbClock, boottime
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store


@pytest.fixture
def store(tmp_path):
    found = Store(f"sqlite:///{tmp_path}/q.db")
    migrate(found)
    yield found
    found.close()


def identity(store, folder):
    found = Identity(store, None, folder, 30.0)
    found.register()
    return found


def test_once_registered_a_daemon_goes_by_the_clock_of_the_database(lab, tmp_path):
    clock = lab.store.clock = DbClock()
    clock._zero += timedelta(hours=3)
    identity(lab.store, tmp_path).release(is_settled=True)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=10)


def reading(clock: DbClock, at_s: float) -> float:
    """What the clock says at an instant of CLOCK_BOOTTIME, as seconds beside a server that goes by EPOCH + boottime."""
    return (clock.at(at_s) - EPOCH).total_seconds() - at_s


def test_an_answer_that_took_long_does_not_set_a_right_clock_askew():
    clock, now = DbClock(), boottime()
    clock.learn(EPOCH + timedelta(seconds=now), now)
    clock.learn(EPOCH + timedelta(seconds=now - 60), now - 60)  # read at once, and then the answer was held up
    assert abs(reading(clock, now)) < 1
    clock.learn(EPOCH + timedelta(seconds=now), now - 60)  # asked long ago, and read only now
    assert abs(reading(clock, now)) < 1


def test_a_quick_answer_sets_a_clock_that_is_askew():
    clock, now = DbClock(), boottime()
    clock.learn(EPOCH + timedelta(seconds=now), now - 60)
    clock.learn(EPOCH + timedelta(seconds=now), now)
    assert abs(reading(clock, now)) < 1


def test_a_neighbour_is_dead_when_its_lock_is_free(store, tmp_path):
    first, second = identity(store, tmp_path), identity(store, tmp_path)
    assert list(first.dead_neighbours()) == []
    second.release(is_settled=False)
    assert [number for number, _ in first.dead_neighbours()] == [second.id]
    first.release(is_settled=True)
    assert [file.suffix for file in tmp_path.glob("qflowd-*")] == [".lock"]


def test_a_dead_daemon_of_a_copy_of_the_database_is_not_a_neighbour(store, tmp_path):
    first, second = identity(store, tmp_path), identity(store, tmp_path)
    copy = f"{tmp_path}/copy.db"
    store.connection().script(f"VACUUM qflow INTO '{copy}'")
    with contextlib.closing(Store(f"sqlite:///{copy}")) as other:
        of_the_copy = identity(other, tmp_path)
        second.release(is_settled=False)
        assert list(of_the_copy.dead_neighbours()) == []
        assert [number for number, _ in first.dead_neighbours()] == [second.id]
        of_the_copy.release(is_settled=True)
    first.release(is_settled=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_lock_file_of_somebody_else_says_nothing(store, tmp_path):
    first, second = identity(store, tmp_path), identity(store, tmp_path)
    second.release(is_settled=False)
    [(_, file)] = first.dead_neighbours()
    os.chown(file, 12345, -1)
    assert list(first.dead_neighbours()) == []
    first.release(is_settled=True)


def test_lock_files_lie_beside_the_sqlite_file(tmp_path):
    assert run_dir_for(f"sqlite:///{tmp_path}/my%20flows/q.db", None) == tmp_path / "my flows"
