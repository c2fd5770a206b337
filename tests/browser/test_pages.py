"""Every page, in both languages, light and dark: it shows what is, complains of nothing, and has no barrier."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.support.browser import violations

# An address, and what stands on it: in English, in Chinese.
PAGES = [
    ("", "close of S007 is NaN", "close of S007 is NaN"),
    ("workflows", "End of day, China", "End of day, China"),
    ("workflows/eod.cn", "Grid", "网格"),
    ("workflows/reference%2Fadr", "Reference data", "Reference data"),
    ("workflows/eod.cn?tab=graph", "bars", "bars"),
    ("workflows/eod.cn?tab=versions", "One version", "只有一个版本"),
    ("workflows/eod.cn?tab=schedule", "30 16 * * mon-fri", "30 16 * * mon-fri"),
    ("workflows/eod.cn?tab=source", "Prices, bars and checks", "Prices, bars and checks"),
    ("schedules?open=eod.cn+cron", "What comes", "将要触发"),
    ("late", "Nothing is late", "没有逾期"),
    ("backfills", "No backfill yet", "还没有补数"),
    ("datasets", "No dataset yet", "还没有数据集"),
    ("instances", "eod.cn", "eod.cn"),
    ("failures", "close of S007 is NaN", "close of S007 is NaN"),
    ("jobs", "Fetch one day of prices", "Fetch one day of prices"),
    ("daemons", "READY", "就绪 READY"),
    ("limits", "vendor", "vendor"),
    ("types", "No type yet", "还没有任务类型"),
    ("definitions", "No definition yet", "还没有任务定义"),
    ("calendars?name=SHFE", "session without a night before it", "前一晚无夜盘"),
    ("calendars?name=CN&year=2026", "Next work days", "接下来的工作日"),
    ("audit", "LOGIN", "登录 LOGIN"),
    ("access", "No token yet", "还没有令牌"),
    ("access?tab=people", "admin", "所有租户的一切"),
    ("reference?q=healthz", "/healthz", "/healthz"),
    ("settings", "Time zone", "时区"),
]


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize(("path", "english", "chinese"), PAGES, ids=[path or "today" for path, *_ in PAGES])
def test_a_page_shows_what_is_in_both_languages_light_and_dark(
    site: Site, path: str, english: str, chinese: str, lang: str, theme: str
) -> None:
    with site.look(lang=lang, theme=theme) as page:
        page.goto(site.url + path)
        expect(page.get_by_role("main")).to_contain_text(english if lang == "en" else chinese)
        expect(page.locator(".waiting")).to_have_count(0)
        assert page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[lang]
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440, "it scrolls sideways"
        assert violations(page) == []
