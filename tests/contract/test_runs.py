"""What can be asked for in a row, and what the views then show."""

def test_smoke(desk):
    desk.is_alive()
    n = desk.submit(workflow="daily_bars", params='{"trade_date": "2026-11-19"}')
    print(desk.ended(n))
    for t in desk.tasks(n).values(): print(t)
    for v in ("attempts","logs","workflows","schedules","fires","jobs","pools","daemons"):
        print(v, desk.run(f"SELECT * FROM qflow.{v}"))
    print(desk.shell("SELECT id, state FROM qflow.instances;"))
