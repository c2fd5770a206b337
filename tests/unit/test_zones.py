"""Time zones: of two releases of the rules the later one decides."""

import shutil
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tzdata

from qflowd.model import cron, zones

JUNE = datetime(2030, 6, 1, tzinfo=UTC)


@pytest.fixture
def system(tmp_path):
    """Gives a function that makes the system's rules those of a release, in which Shanghai has New York's clocks."""
    before = zoneinfo.TZPATH

    def make(release):
        folder = Path(tzdata.__file__).parent / "zoneinfo"
        (tmp_path / "Asia").mkdir()
        shutil.copy(folder / "America" / "New_York", tmp_path / "Asia" / "Shanghai")
        if release:
            (tmp_path / "tzdata.zi").write_text(f"# version {release}\n# redo posix_only\n")
        zoneinfo.reset_tzpath([str(tmp_path)])
        forget()
        return zones.zone("Asia/Shanghai").utcoffset(JUNE)

    def forget():
        zoneinfo.ZoneInfo.clear_cache()
        zones.releases.cache_clear()
        zones.zone.cache_clear()

    yield make
    zoneinfo.reset_tzpath(before)
    forget()


def test_rules_of_the_package_decide_where_the_system_has_older_ones_or_does_not_say(system):
    assert system("2001a") == timedelta(hours=8)
    assert zones.releases() == ("2001a", tzdata.IANA_VERSION)
    assert next(cron.fires("0 9 * * *", "Asia/Shanghai", JUNE)).hour == 1


def test_a_system_that_does_not_say_its_release_is_taken_for_older(system):
    assert system("") == timedelta(hours=8)


def test_rules_of_the_system_decide_where_they_are_newer(system):
    assert system("2999z") == timedelta(hours=-4)
    assert max(zones.releases()) == "2999z"


def test_a_zone_that_only_one_of_them_has_is_found(system):
    system("2999z")
    assert zones.zone("Europe/Berlin").utcoffset(JUNE) == timedelta(hours=2)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/localtime", "Asia", "Asia/Nowhere", ""])
def test_what_is_not_a_zone_is_refused_whichever_decides(system, name):
    system("2001a")
    with pytest.raises((KeyError, ValueError, OSError)):
        zones.zone(name)
