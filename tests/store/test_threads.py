"""A store in a program of many threads, such as a web server: each has a connection, for as long as it lives."""

import os
import threading

from qflowd.store.tx import Store


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all it takes


def test_the_connection_of_a_thread_is_closed_when_the_thread_has_ended(store):
    before = descriptors()
    for _ in range(30):
        in_a_thread(lambda: store.read(lambda tx: tx.run("show_clock")))
    assert descriptors() < before + 15  # SQLite keeps some of a closed connection for the next


def test_a_store_that_is_dropped_closes_its_connections(store):
    before = descriptors()
    for _ in range(30):
        Store(store.dialect.describe() if store.dialect.file else store.dialect.url).connection()
    assert descriptors() < before + 15
