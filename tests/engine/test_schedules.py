"""Schedules on a set clock: what fires, what was missed, who fires it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from qflowd.calendars.timetable import latest_fires
from qflowd.engine.definitions.schedules import IDLE_S, Schedules
from qflowd.engine.definitions.stored_schedules import reset_next_fire
from qflowd.engine.service import Topics
from qflowd.model.instruments import ScheduleFired
from qflowd.model.workflow import Schedule
from qflowd.store.tx import Store
from tests.support.clock import MONDAY, SetClock
from tests.support.desk import Desk
from tests.support.services import admit_all


@pytest.fixture
def desk(lab):
    return Desk(lab)


def hours(*numbers):
    return [MONDAY + timedelta(hours=number) for number in numbers]


def test_a_listener_hears_what_was_fired_and_how_late(desk):
    heard = []
    desk.store.instruments.listen(lambda event: heard.append(event) if isinstance(event, ScheduleFired) else None)
    desk.define("{cron: '0 * * * *', catchup: all(5)}")
    desk.tick(hours(3)[0] + timedelta(seconds=20))
    assert heard == [ScheduleFired("daily", 3, 20.0)]
    desk.tick()
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("zone", "cron_text", "dates"),
    [
        ("Asia/Shanghai", "30 6 * * *", ["2026-01-06", "2026-01-07"]),
        ("America/New_York", "0 20 * * *", ["2026-01-04", "2026-01-05"]),
        ("UTC", "0 0 * * *", ["2026-01-06", "2026-01-07"]),
    ],
)
def test_the_business_date_of_a_fire_is_the_date_in_the_schedules_zone(desk, zone, cron_text, dates):
    desk.define(f"{{cron: '{cron_text}', timezone: {zone}}}")
    for _ in dates:
        desk.tick(desk.schedule().next_fire_at)
    submitted = desk.sql("SELECT business_date FROM qflow.submissions ORDER BY id")
    assert [str(row[0]) for row in submitted] == dates


def test_a_due_instant_becomes_one_submission_like_any_other(desk):
    desk.define("0 9 * * *")
    assert desk.tick() == IDLE_S
    assert desk.tick(MONDAY + timedelta(hours=8, minutes=59, seconds=50)) == 10
    assert desk.fires() == []
    assert desk.tick(MONDAY + timedelta(hours=9)) == IDLE_S
    assert desk.fires() == hours(9)
    assert desk.published == ["submission"]
    columns = "tenant, workflow, job, business_date, hold, priority, trigger_type, submitted_by, state, is_open"
    [row] = desk.sql(f"SELECT {columns} FROM qflow.submissions")
    assert str(row[3]) == "2026-01-05"
    assert (*row[:3], *row[4:]) == ("default", "daily", None, 0, 0, "cron", "schedule:daily", "NEW", 1)
    schedule = desk.schedule()
    assert (schedule.name, schedule.last_fire_at, schedule.next_fire_at) == ("cron", *hours(9, 33))
    [fire] = desk.sql("SELECT workflow, schedule, state FROM qflow.fires")
    assert tuple(fire) == ("daily", "cron", "NEW")


def test_the_instance_knows_which_schedule_and_which_instant_it_is_for(desk):
    desk.define("0 9 * * *")
    desk.tick(MONDAY + timedelta(hours=9))
    admit_all(desk.store)
    [number] = desk.submissions()
    [row] = desk.store.read(lambda tx: tx.run("load_instances", rows=[(number,)]))
    assert (row.fire_at, str(row.business_date)) == (*hours(9), "2026-01-05")
    assert desk.sql("SELECT trigger_type, schedule FROM qflow.workflow_instance") == [("cron", "cron")]
    [fire] = desk.sql("SELECT state FROM qflow.fires")
    assert fire[0] == "RUNNING"


def test_a_round_that_is_a_little_late_loses_nothing(desk):
    desk.define("* * * * * *")
    desk.tick(MONDAY + timedelta(seconds=5.5))
    assert desk.fires() == [MONDAY + timedelta(seconds=n) for n in range(1, 6)]
    assert desk.tick(MONDAY + timedelta(seconds=5.75)) == 0.25
    assert len(desk.fires()) == 5


@pytest.mark.parametrize(
    ("catchup", "expected"), [("none", []), ("last", [12]), ("all(2)", [11, 12]), ("all(100)", [9, 10, 11, 12])]
)
def test_after_a_downtime_catchup_decides_what_was_missed(desk, catchup, expected):
    desk.define(f"{{cron: '0 9-17 * * *', catchup: {catchup}}}")
    desk.tick(MONDAY + timedelta(hours=12, minutes=30))
    assert desk.fires() == hours(*expected)
    assert desk.schedule().next_fire_at == hours(13)[0]
    assert desk.schedule().last_fire_at == (hours(12)[0] if expected else None)
    desk.tick(MONDAY + timedelta(hours=13))
    assert desk.fires() == hours(*expected, 13)


@pytest.mark.parametrize(("catchup", "expected"), [("none", [12]), ("last", [12]), ("all(2)", [10, 11, 12])])
def test_an_instant_up_to_a_minute_late_is_on_time(desk, catchup, expected):
    desk.define(f"{{cron: '0 9-17 * * *', catchup: {catchup}}}")
    desk.tick(MONDAY + timedelta(hours=12, seconds=60))
    assert desk.fires() == hours(*expected)


def test_a_long_catchup_comes_in_bounded_rounds(desk):
    desk.define("{cron: '0 * * * *', catchup: all(250)}")
    desk.clock.time = MONDAY + timedelta(days=30, minutes=30)
    rounds = 1
    while desk.tick() == 0:
        rounds += 1
    newest = MONDAY + timedelta(days=30)
    assert desk.fires() == [newest - timedelta(hours=n) for n in reversed(range(250))]
    assert rounds == 3


def test_a_clock_that_is_set_back_repeats_nothing(desk):
    desk.define("0 * * * *")
    desk.tick(MONDAY + timedelta(hours=3))
    desk.tick(MONDAY + timedelta(hours=1))
    # Even where everything but the record of fires was forgotten.
    definition_id = desk.sql("SELECT definition_id FROM qflow.schedule")[0][0]
    desk.store.transact(lambda tx: reset_next_fire(tx, definition_id, tx.now))
    assert desk.schedule().next_fire_at == hours(2)[0]
    for hour in (1, 2, 3, 4):
        desk.tick(hours(hour)[0])
    assert desk.fires() == hours(3, 2, 4)


@pytest.mark.parametrize(
    ("zone", "text", "begin", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-24", ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"]),
        ("Europe/Berlin", "30 2 * * *", "2026-03-28", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("America/New_York", "30 1 * * *", "2026-10-31", ["31 01:30-0400", "01 01:30-0400", "02 01:30-0500"]),
        ("America/New_York", "15 2 * * *", "2026-03-07", ["07 02:15-0500", "08 03:00-0400", "09 02:15-0400"]),
    ],
)
@pytest.mark.parametrize("step", [timedelta(minutes=30), timedelta(days=4)], ids=["ticking", "after a downtime"])
def test_a_fixed_time_fires_once_a_day_when_clocks_change(desk, zone, text, begin, expected, step):
    start = datetime.fromisoformat(begin).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    desk.clock.time = start
    desk.define(f"{{cron: '{text}', timezone: {zone}, catchup: all(100)}}")
    end = start + timedelta(days=3, hours=-1)
    while desk.clock.time < end:
        desk.tick(min(desk.clock.time + step, end))
    assert [fire.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z") for fire in desk.fires()] == expected


@pytest.mark.parametrize(("zone", "day"), [("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-03-08")])
def test_a_repeating_schedule_goes_by_elapsed_time_when_clocks_change(desk, zone, day):
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    desk.clock.time = start - timedelta(minutes=1)
    desk.define(f"{{cron: '0 * * * *', timezone: {zone}}}")
    for hour in range(6):
        desk.tick(start + timedelta(hours=hour))
    assert desk.fires() == [start + timedelta(hours=hour) for hour in range(6)]


def test_five_daemons_fire_each_instant_once(desk):
    desk.define("* * * * *", key="a")
    desk.define("*/2 * * * *", key="b")
    rounds, daemons = 20, 5
    clock, together = SetClock(), threading.Barrier(daemons)

    def fire_all(_):
        store = Store(desk.url, clock=clock)
        service = Schedules(store, Topics())
        for number in range(1, rounds + 1):
            together.wait(60)
            clock.time = MONDAY + timedelta(minutes=number)
            together.wait(60)
            service.tick()
        store.close()

    with ThreadPoolExecutor(daemons) as pool:
        list(pool.map(fire_all, range(daemons)))
    every = [MONDAY + timedelta(minutes=n) for n in range(1, rounds + 1)]
    assert sorted(desk.fires()) == sorted([*every, *every[1::2]])


def test_what_is_disabled_does_not_fire(desk):
    desk.define("{cron: '0 * * * *', catchup: all(9), enabled: false}", key="off")
    desk.define("{cron: '0 * * * *', catchup: all(9)}", key="disabled", enabled="false")
    desk.define("{cron: '0 * * * *', catchup: all(9)}", key="overridden")
    desk.sql("UPDATE qflow.schedule SET enabled_override = 0 WHERE enabled = 1")
    assert desk.tick(MONDAY + timedelta(hours=5)) == IDLE_S
    assert desk.fires() == []
    assert {row[0] for row in desk.sql("SELECT next_fire_at FROM qflow.schedules")} == {None}


def test_an_override_wins_over_the_file_and_survives_a_change_of_something_else(desk):
    desk.define("{cron: '0 * * * *', enabled: false}")
    desk.sql("UPDATE qflow.schedule SET enabled_override = 1")
    desk.define("{cron: '0 * * * *', enabled: false}", title="New title")
    desk.tick(MONDAY + timedelta(hours=1))
    assert desk.fires() == hours(1)
    assert desk.schedule().source == "command"


def test_a_changed_schedule_in_the_file_takes_back_the_override(desk):
    desk.define("0 * * * *")
    desk.sql("UPDATE qflow.schedule SET enabled_override = 0")
    desk.clock.time = MONDAY + timedelta(hours=2, minutes=30)
    desk.define("{cron: '0 * * * *', catchup: all(9)}")
    assert (desk.schedule().source, desk.schedule().enabled) == ("file", 1)
    desk.tick()
    assert desk.fires() == [], "what passed while it was off was not missed"
    assert desk.schedule().next_fire_at == hours(3)[0]


def test_a_changed_time_in_the_file_moves_the_next_fire(desk):
    desk.define("0 9 * * *")
    desk.clock.time = MONDAY + timedelta(hours=3)
    desk.define("0 7 * * *")
    assert desk.schedule().next_fire_at == hours(7)[0]
    desk.define("{cron: '0 7 * * *', timezone: Asia/Shanghai}")
    assert desk.schedule().next_fire_at == hours(23)[0]


def test_a_changed_catchup_keeps_what_is_due(desk):
    desk.define("0 * * * *")
    desk.clock.time = MONDAY + timedelta(hours=2, minutes=30)
    desk.define("{cron: '0 * * * *', catchup: last}")
    desk.tick()
    assert desk.fires() == hours(2)


def test_a_schedule_that_the_file_no_longer_has_is_removed_and_its_fires_are_kept(desk):
    desk.define("0 * * * *")
    desk.tick(MONDAY + timedelta(hours=1))
    desk.define("null")
    assert desk.sql("SELECT workflow FROM qflow.schedules") == []
    desk.tick(MONDAY + timedelta(hours=2))
    assert desk.fires() == hours(1)


def test_what_was_switched_on_again_continues_from_now(desk):
    desk.define("{cron: '0 * * * *', catchup: all(9)}")
    desk.sql("UPDATE qflow.schedule SET enabled_override = 0")
    desk.clock.time = MONDAY + timedelta(hours=5, minutes=1)
    definition_id = desk.sql("SELECT id FROM qflow.workflow_definition")[0][0]
    desk.sql("UPDATE qflow.schedule SET enabled_override = 1")
    desk.store.transact(lambda tx: reset_next_fire(tx, definition_id, tx.now))
    desk.tick()
    assert desk.fires() == []
    assert desk.schedule().next_fire_at == hours(6)[0]


def test_a_schedule_that_cannot_be_computed_says_so_and_stops_nobody(desk, caplog):
    desk.define("0 * * * *", key="broken")
    desk.define("0 * * * *", key="good")
    broken = "SELECT id FROM qflow.workflow_definition WHERE workflow = 'broken'"
    desk.sql(f"UPDATE qflow.schedule SET timezone = 'Atlantis/Capital' WHERE definition_id = ({broken})")
    assert desk.tick(MONDAY + timedelta(hours=1)) == IDLE_S
    desk.tick(MONDAY + timedelta(hours=2))
    assert desk.fires() == hours(1, 2)
    rows = dict(desk.sql("SELECT workflow, error FROM qflow.workflows"))
    assert "Atlantis/Capital" in rows["broken"]
    assert rows["good"] is None
    assert len([record for record in caplog.records if "broken" in record.getMessage()]) == 1
    desk.sql("UPDATE qflow.schedule SET timezone = 'UTC'")
    desk.tick(MONDAY + timedelta(hours=3))
    assert desk.fires() == hours(1, 2, 3, 3)
    assert dict(desk.sql("SELECT workflow, error FROM qflow.workflows"))["broken"] is None


def test_a_daemon_that_dies_between_submitting_and_committing_fires_once_in_the_end(desk):
    class Killed(Exception):
        pass

    def die(transaction, point):
        if (transaction, point) == ("fire_schedules", "before_commit"):
            raise Killed

    desk.define("0 9 * * *")
    clock = SetClock(hours(9)[0])
    dying = Store(desk.url, clock=clock, fault=die)
    with pytest.raises(Killed):
        Schedules(dying, Topics()).tick()
    dying.close()
    assert desk.fires() == []
    desk.tick(hours(9)[0])
    assert desk.fires() == hours(9)


def test_a_reply_that_is_lost_after_the_commit_does_no_harm(desk):
    desk.define("0 9 * * *")
    lost = []

    def lose(transaction, point):
        if (transaction, point) == ("fire_schedules", "after_commit") and not lost:
            lost.append(point)
            raise ConnectionResetError

    store = Store(desk.url, clock=SetClock(hours(9)[0]), fault=lose)
    service = Schedules(store, Topics())
    with pytest.raises(ConnectionResetError):
        service.tick()
    assert service.tick() == IDLE_S
    store.close()
    assert desk.fires() == hours(9)


def test_the_rules_hold_for_every_minute_of_a_change(desk):
    """Against the model alone: whoever looks each minute sees what one look back sees."""
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    schedule = Schedule("*/20 1 * * *", "America/New_York")
    expected = [fire.at for fire in latest_fires(schedule, start, start + timedelta(hours=4), 99)]
    desk.clock.time = start
    desk.define("{cron: '*/20 1 * * *', timezone: America/New_York}")
    for minute in range(240):
        desk.tick(start + timedelta(minutes=minute))
    assert desk.fires() == expected
