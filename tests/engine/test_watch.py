"""The watch says that it sleeps before it does, and misses nobody who was writing just then."""

import pytest

from qflowd.engine.watch import AWAKE_AFTER, Watch
from qflowd.model.errors import StoreUnavailable
from qflowd.store.dialects import dialect_for
from tests.support.lab import Lab

INSERT = "INSERT INTO qflow.submissions (workflow) VALUES ('nothing')"


class Waits:
    """Instead of the alarm's wait: what it was asked for, what happens meanwhile, and what it is told."""

    def __init__(self, watch, monkeypatch):
        self.asked, self.told, self.meanwhile = [], (), lambda: None
        monkeypatch.setattr(watch._alarm, "wait", self)

    def __call__(self, *, is_busy):
        self.asked.append(is_busy)
        self.meanwhile()
        return self.told


@pytest.fixture
def postgres_lab(open_lab):
    found = open_lab("postgres")
    yield found
    found.close()


@pytest.fixture
def published(postgres_lab):
    heard = []
    for topic in ("submission", "command"):
        postgres_lab.topics.subscribe(topic, lambda topic=topic: heard.append(topic))
    return heard


@pytest.fixture
def watch(postgres_lab, published):
    found = Watch(postgres_lab.store, postgres_lab.topics, lambda: 7)
    yield found
    found.close()


@pytest.fixture
def waits(watch, monkeypatch):
    return Waits(watch, monkeypatch)


@pytest.fixture
def client(postgres_lab):
    connection = postgres_lab.store.dialect.connect()
    yield connection
    connection.close()


def asleep(lab):
    return lab.sql("SELECT daemon_id, is_asleep FROM qflow.waker ORDER BY daemon_id")


def test_what_an_outage_kept_from_being_said_is_said_again(postgres_lab, watch, waits, monkeypatch):
    transact = postgres_lab.store.transact

    def fail(*_, **__):
        raise StoreUnavailable("away")

    monkeypatch.setattr(postgres_lab.store, "transact", fail)
    with pytest.raises(StoreUnavailable):
        watch.tick()
    monkeypatch.setattr(postgres_lab.store, "transact", transact)
    watch.tick()
    assert asleep(postgres_lab) == [(7, 1)]


def test_another_incarnation_says_it_anew(postgres_lab, monkeypatch):
    lab, numbers = postgres_lab, [7]
    watch = Watch(lab.store, lab.topics, lambda: numbers[-1])
    Waits(watch, monkeypatch)
    watch.tick()
    numbers.append(8)
    watch.tick()
    assert asleep(lab) == [(7, 1), (8, 1)]
    watch.close()


def test_who_wrote_before_the_watch_slept_and_commits_after_its_look_is_not_missed(watch, waits, client, published):
    client.begin()
    client.script(INSERT)  # its trigger sees nobody asleep
    waits.meanwhile = client.commit
    watch.tick()
    assert waits.asked == [True], "a long sleep, although somebody may commit without ringing"
    waits.meanwhile = lambda: None
    watch.tick()
    assert published == ["submission"]


def test_a_writer_that_takes_its_time_is_watched_until_it_is_done(watch, waits, client, postgres_lab):
    client.begin()
    client.script(INSERT)
    for _ in range(3):
        watch.tick()
    client.rollback()
    watch.tick()
    assert waits.asked == [True, True, True, False]


def test_a_writer_that_never_ends_keeps_nobody_busy_and_is_not_missed(watch, waits, client, published, monkeypatch):
    monkeypatch.setattr("qflowd.engine.watch.WRITERS_S", 0.0)
    client.begin()
    client.script(INSERT)
    watch.tick()
    client.commit()
    watch.tick()
    assert (waits.asked[0], published) == (False, ["submission"])


def test_who_writes_once_the_watch_sleeps_need_not_be_watched(watch, waits, client):
    watch.tick()
    client.begin()
    client.script(INSERT)  # it will ring
    watch.tick()
    assert waits.asked == [False, False]


def test_who_writes_in_another_database_of_the_server_is_not_watched(postgres_server, postgres_url):
    """The server numbers tables by database: a copy has the numbers of its original."""
    Lab(postgres_url).close()
    name = f"{postgres_url.rsplit('/', 1)[1]}_copy"
    postgres_server.admin(f'CREATE DATABASE "{name}" TEMPLATE "{name.removesuffix("_copy")}"')
    lab = Lab(postgres_url)
    clients = [dialect_for(url).connect() for url in (postgres_server.url(name), postgres_url)]
    counts = []
    for client in clients:
        client.begin()
        client.script(INSERT)
        counts.append(len(lab.store.read(lambda tx: tx.run("list_inbox_writers"))))
    for client in clients:
        client.close()
    lab.close()
    postgres_server.drop_database(postgres_server.url(name))
    assert counts == [0, 1]


def test_an_inbox_that_the_alarm_names_is_published_without_a_look(watch, waits, published, monkeypatch):
    waits.told = {"commands"}
    watch.tick()
    monkeypatch.setattr(watch, "look", lambda: pytest.fail("it was told already"))
    watch.tick()
    assert (published, waits.asked[1:]) == (["command"], [True])


def test_only_in_a_crowd_is_the_daemon_said_to_be_awake(postgres_lab, watch, waits):
    waits.told = {"submissions"}
    for _ in range(AWAKE_AFTER):
        watch.tick()
    assert asleep(postgres_lab) == [(7, 1)]
    watch.tick()
    assert asleep(postgres_lab) == [(7, 0)]
    waits.told = ()
    for _ in range(2):
        watch.tick()
    assert asleep(postgres_lab) == [(7, 1)]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_sleeper_is_woken_whatever_the_clients_isolation_level(postgres_lab, watch, waits, client, level):
    ears = postgres_lab.store.dialect.connect()
    ears.script("LISTEN qflow")
    client.script(f"BEGIN ISOLATION LEVEL {level}")
    client.script("SELECT 1 FROM qflow.submissions")  # a snapshot in which nobody sleeps
    watch.tick()
    client.script(INSERT)
    client.commit()
    assert ears.notifications(timeout_s=30) == {"submissions"}
    ears.close()
