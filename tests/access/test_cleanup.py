"""What is over is taken away after its time, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qflowd.engine.access import cleanup, usage
from qflowd.engine.access.cleanup import BATCH, clean
from qflowd.engine.access.login import make_login_code
from qflowd.engine.access.sessions import begin_session
from qflowd.engine.access.tokens import Scope, make_token
from qflowd.engine.access.usage import Usage
from qflowd.engine.service import Topics
from qflowd.model.roles import Role
from tests.access.conftest import BOSS

DAY = timedelta(days=1)
KEPT = 400 * DAY


def past(store, days: float) -> str:
    """An instant so many days ago, as SQL."""
    return store.dialect.renderer.templates["clock_plus"].format(-round(days * 86_400))


def tokens_of(sql, row) -> set[str]:
    return {token for (token,) in sql(f"SELECT id FROM qflow.token WHERE principal_id = {row.id}")}


def test_tokens_go_a_month_after_they_have_ended(store, sql, person):
    row = person()
    made = [store.transact(lambda tx: make_token(tx, BOSS, row, Scope(Role.READ)).id) for _ in range(5)]
    valid, expired, long_expired, revoked, long_revoked = made
    for token, column, days in (
        (expired, "expires_at", 29),
        (long_expired, "expires_at", 31),
        (revoked, "revoked_at", 29),
        (long_revoked, "revoked_at", 31),
    ):
        sql(f"UPDATE qflow.token SET {column} = {past(store, days)} WHERE id = '{token}'")
    clean(store, KEPT)
    assert tokens_of(sql, row) == {valid, expired, revoked}


def test_sessions_go_a_month_after_they_have_ended_and_links_when_they_are_too_old(store, sql, person):
    row = person()
    begun = [store.transact(lambda tx: begin_session(tx, row, None, "")).id for _ in range(4)]
    valid, ended, long_ended, forgotten = begun
    for number, column, days in ((ended, "ended_at", 29), (long_ended, "ended_at", 31), (forgotten, "seen_at", 31)):
        sql(f"UPDATE qflow.session SET {column} = {past(store, days)} WHERE id = {number}")
    for _ in range(2):
        store.transact(lambda tx: make_login_code(tx, BOSS, row))
    [first, _] = sql(f"SELECT code_hash FROM qflow.login_code WHERE principal_id = {row.id} ORDER BY code_hash")
    sql(f"UPDATE qflow.login_code SET expires_at = {past(store, 1)} WHERE code_hash = '{first[0]}'")
    clean(store, KEPT)
    left = {number for (number,) in sql(f"SELECT id FROM qflow.session WHERE principal_id = {row.id}")}
    assert left == {valid, ended}
    assert sql(f"SELECT COUNT(*) FROM qflow.login_code WHERE principal_id = {row.id}")[0][0] == 1


def test_entries_of_the_audit_go_when_their_time_is_over(store, sql, monkeypatch, person):
    monkeypatch.setattr(cleanup, "BATCH", 2)
    assert BATCH == 1000
    sql("DELETE FROM qflow.audit")
    for _ in range(7):
        person()
    numbers = [number for (number,) in sql("SELECT id FROM qflow.audit ORDER BY id")]
    for number in numbers[:5]:
        sql(f"UPDATE qflow.audit SET at = {past(store, 401)} WHERE id = {number}")
    clean(store, KEPT)
    assert [number for (number,) in sql("SELECT id FROM qflow.audit ORDER BY id")] == numbers[5:]
    clean(store, DAY)
    assert len(sql("SELECT id FROM qflow.audit")) == 2
    sql("DELETE FROM qflow.audit")
    clean(store, DAY)


@pytest.mark.parametrize("after_s", [usage.CLEANED_AFTER_S, usage.CLEANED_EVERY_S])
def test_the_service_does_it_once_an_hour(store, sql, monkeypatch, person, after_s):
    now = [1000.0]
    monkeypatch.setattr(usage, "boottime", lambda: now[0])
    service = Usage(store, Topics(), KEPT)
    now[0] += usage.CLEANED_AFTER_S
    if after_s == usage.CLEANED_EVERY_S:
        service.tick()
        now[0] += after_s
    sql("DELETE FROM qflow.audit")
    person()
    sql(f"UPDATE qflow.audit SET at = {past(store, 401)}")
    now[0] -= 1
    service.tick()
    assert len(sql("SELECT id FROM qflow.audit")) == 1
    now[0] += 1
    service.tick()
    assert sql("SELECT id FROM qflow.audit") == []
