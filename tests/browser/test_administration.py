"""What is looked at less often: schedules, types and definitions, the audit, tokens and people."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Site


def test_a_schedule_is_switched_off_and_on_beside_the_line_of_time(site: Site) -> None:
    with site.look() as page:
        site.open(page, "schedules")
        page.get_by_role("button", name="eod.cn").click()
        expect(page).to_have_url(re.compile(r"\?open=eod.cn"))
        drawer = page.get_by_role("dialog", name="eod.cn").first
        expect(drawer).to_contain_text("Asia/Shanghai")
        for word, state in (("off", "it is disabled"), ("on", "ACTIVE")):
            drawer.get_by_role("button", name=f"Switch {word} …").click()
            page.get_by_role("dialog").last.get_by_role("button", name=f"Switch {word}", exact=True).click()
            expect(drawer).to_contain_text(state)
        for doing, said in (
            ("Set times", "its file says 30 16 * * mon-fri"),
            ("As its file says", "30 16 * * mon-fri"),
        ):
            drawer.get_by_role("button", name=f"{doing} …").click()
            dialog = page.get_by_role("dialog").last
            if doing == "Set times":
                dialog.get_by_label("Cron expression").fill("45 16 * * mon-fri")
            dialog.get_by_role("button", name=doing, exact=True).click()
            expect(drawer.locator("dl")).to_contain_text(said)
        expect(drawer.locator("dl")).not_to_contain_text("its file says")
        day = drawer.get_by_role("table", name="What comes").locator("tbody tr").first
        expect(day).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d"))
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Off").click()
        expect(page.get_by_role("main")).to_contain_text("Nothing matches")


def test_the_audit_tells_who_did_it_what_differs_and_where_to_see_it(site: Site) -> None:
    site.client.command("pause", workflow="long", reason="vendor is down")
    site.client.command("resume", workflow="long")
    with site.look() as page:
        site.open(page, "audit")
        page.get_by_label("What", exact=True).select_option("PAUSE")
        expect(page).to_have_url(re.compile(r"\?action=PAUSE$"))
        expect(page.get_by_role("table", name="Audit").locator("tbody tr")).to_have_count(1)
        page.get_by_text("vendor is down").click()
        expect(page.get_by_role("dialog")).to_contain_text("vendor is down")
        page.reload()
        expect(page.get_by_role("dialog")).to_contain_text("Outcome")
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as CSV").click()
        lines = download.value.path().read_text("utf-8").splitlines()
        assert len(lines) == 2
        assert "PAUSE,workflow,long" in lines[1]
        page.get_by_label("Who").fill("nobody")
        expect(page.get_by_role("main")).to_contain_text("Nothing matches")
        page.get_by_role("button", name="Clear filters").last.click()
        page.get_by_role("table", name="Audit").get_by_role("link", name="long").first.click()
        expect(page).to_have_url(f"{site.url}workflows/long")


def test_a_token_is_made_shown_once_and_revoked(site: Site) -> None:
    with site.look() as page:
        site.open(page, "access")
        page.get_by_role("button", name="Make a token").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("What for").fill("nightly build")
        dialog.get_by_label("At most").select_option("read")
        dialog.get_by_label("Good for days").fill("5")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("Copy it now")
        secret = dialog.locator(".once pre").inner_text()
        assert re.fullmatch(r"qf_[a-z0-9]{10}_\w{43}", secret)
        answer = page.request.get(f"{site.url}api/v1/me", headers={"Authorization": f"Bearer {secret}"})
        assert answer.json()["data"]["role"] == "read"
        dialog.get_by_role("button", name="I have copied it").click()
        expect(page.get_by_role("main")).to_contain_text("One token expires within two weeks")
        expect(page.get_by_text(secret)).to_have_count(0)
        page.get_by_role("button", name="Revoke nightly build").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("main")).to_contain_text("No token yet")
        page.get_by_label("with ended ones").check()
        expect(page.get_by_role("table", name="Tokens")).to_contain_text("revoked")


def test_somebody_is_added_signs_in_by_a_link_and_is_signed_out_from_afar(site: Site) -> None:
    with site.look() as page:
        site.open(page, "access?tab=people")
        page.get_by_role("button", name="Add somebody").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("ann")
        page.keyboard.press("Enter")
        dialog.get_by_role("button", name="Make a link").click()
        link = dialog.locator(".once pre").inner_text()
        dialog.get_by_role("button", name="I have copied it").click()
        with site.look(state=None) as theirs:
            theirs.expected.add("401")  # type: ignore[attr-defined]
            theirs.goto(link)
            theirs.locator(".shell main h1").wait_for()
            expect(theirs.get_by_role("link", name="Audit")).to_have_count(0)
            theirs.expected.add("403")  # type: ignore[attr-defined]
            theirs.goto(f"{site.url}audit")
            expect(theirs.get_by_role("alert")).to_contain_text("needs role admin; ann has read")
            expect(theirs.get_by_role("alert")).to_contain_text("An administrator of tenant default")
            page.get_by_role("tab", name="Sessions").click()
            page.get_by_role("button", name=re.compile("^End ann")).click()
            page.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
            expect(page.get_by_role("button", name=re.compile("^End ann"))).to_have_count(0)
            theirs.reload()
            expect(theirs.get_by_label("Password")).to_be_visible()
        page.get_by_role("tab", name="People").click()
        page.get_by_role("button", name="Actions for ann").click()
        page.get_by_role("menuitem", name="Disable").click()
        page.get_by_role("dialog").get_by_role("button", name="Disable").click()
        expect(page.get_by_role("table", name="People")).to_contain_text("disabled")


def test_quotas_of_a_tenant_are_set_and_shown_with_what_is_used(site: Site) -> None:
    with site.look() as page:
        site.open(page, "access?tab=tenants")
        page.get_by_role("button", name="Add a tenant").click()
        page.get_by_role("dialog").get_by_label("Name").fill("desk")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Change quotas").click()
        page.get_by_role("dialog").get_by_label("Open runs").fill("4")
        page.get_by_role("dialog").get_by_label("Pools").fill("research, batch_*")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_role("main")).to_contain_text("0 of 4")
        expect(page.get_by_role("main")).to_contain_text("batch_*")
        page.get_by_role("button", name="Suspend").click()
        page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
        expect(page.get_by_role("table", name="Tenants")).to_contain_text("suspended")


def test_a_type_is_made_tried_used_and_deleted_once_nothing_uses_it(site: Site) -> None:
    with site.look() as page:
        site.open(page, "types")
        page.get_by_role("button", name="New type").click()
        dialog = page.get_by_role("dialog", name="New type")
        dialog.get_by_label("Name").fill("vendor_pull")
        dialog.get_by_label("Job").fill("fetch")
        dialog.get_by_role("button", name="Add a param").click()
        dialog.get_by_label("Param", exact=True).fill("symbols")
        dialog.get_by_label("Kind").select_option("integer")
        dialog.get_by_label("Default").fill("three")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_role("alert")).to_contain_text("symbols")
        dialog.get_by_label("Default").fill("3")
        dialog.get_by_role("button", name="Save").click()
        expect(page).to_have_url(re.compile(r"\?open=vendor_pull$"))
        page.get_by_role("button", name="Try it").click()
        page.get_by_role("dialog").last.get_by_role("button", name="Run it").click()
        expect(page).to_have_url(re.compile(r"/instances/\d+$"))
        site.ended(int(page.url.rpartition("/")[2]), "SUCCESS")

        site.open(page, "definitions")
        page.get_by_role("button", name="New definition").click()
        dialog = page.get_by_role("dialog", name="New definition")
        dialog.get_by_label("Name").fill("us_bars")
        dialog.get_by_label("Type or job").select_option("type:vendor_pull")
        dialog.get_by_label("symbols").fill("4")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog", name="us_bars")).to_contain_text("vendor_pull")

        site.open(page, "types?open=vendor_pull")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("dialog").last).to_contain_text("cannot be deleted while this uses it")
        page.get_by_role("dialog").last.get_by_role("link", name="us_bars").click()
        page.expected.add("404")  # type: ignore[attr-defined]  # an open panel may ask once more for what is gone
        for name in ("us_bars", "vendor_pull"):
            site.open(page, f"{'definitions' if name == 'us_bars' else 'types'}?open={name}")
            page.get_by_role("button", name="Delete").click()
            page.get_by_role("dialog").last.get_by_role("button", name="Delete").click()
            expect(page.get_by_role("main")).to_contain_text("yet")


def test_a_backfill_is_watched_paused_and_stopped_beside_the_list(site: Site) -> None:
    made = site.client.workflow("long").backfill("2026-11-16", "2026-11-20", calendar="XSHG", max_active=1)
    number = made.result["backfill"]
    with site.look() as page:
        site.open(page, "backfills")
        row = page.get_by_role("table", name="Backfills").locator("tbody tr")
        expect(row).to_contain_text("2026-11-16 – 2026-11-20 XSHG")
        expect(row).to_contain_text("0 / 5")
        expect(row.get_by_role("img")).to_have_accessible_name("RUNNING 1, PENDING 4")
        row.click()
        expect(page).to_have_url(f"{site.url}backfills?open={number}")
        drawer = page.get_by_role("dialog", name=f"long #{number}").first
        expect(drawer).to_contain_text("at most 1, with priority -100")
        expect(drawer).to_contain_text("done 0 · failed 0 · skipped 0 · active 1 · waiting 4")
        dates = drawer.get_by_role("table", name="Dates and their runs").locator("tbody tr")
        expect(dates).to_have_count(5)
        expect(dates.first).to_contain_text("RUNNING")
        for word, told in (("Pause", "paused by"), ("Resume", "RUNNING")):
            drawer.get_by_role("button", name=f"{word} …").click()
            page.get_by_role("dialog").last.get_by_role("button", name=word, exact=True).click()
            expect(drawer).to_contain_text(told)
        drawer.get_by_role("button", name="Stop …").click()
        page.get_by_label("terminate the 1 that run").check()
        page.get_by_role("dialog").last.get_by_role("button", name="Stop", exact=True).click()
        expect(drawer).to_contain_text("STOPPED")
        expect(dates.first).to_contain_text("TERMINATED")
        expect(drawer.get_by_role("button", name="Stop …")).to_have_count(0)
