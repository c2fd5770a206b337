"""The topics `overview`, which is what the first page shows, and `notifications`."""

from qflowd.api.call import Call
from qflowd.api.live.topic import Data, Topic
from qflowd.api.resources.notifications import notifications_of
from qflowd.api.resources.overview import OverviewQuery, overview_of
from qflowd.model.roles import Role

ALWAYS_NEW = ("now", "since")  # they say when, not what


class OverviewTopic(Topic):
    """`overview`: as `GET /overview`, then the fields of it that have changed. System callers also see hosts and files."""

    kind = "overview"

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name, "system" if call.caller.role >= Role.SYSTEM else "")

    def look(self) -> Data:
        found = overview_of(self.call, OverviewQuery())
        return {"overview": {field: getattr(found, field) for field in found.__struct_fields__}}

    def changes(self, before: Data, now: Data) -> Data | None:
        old, new = before["overview"], now["overview"]
        changed = {field: value for field, value in new.items() if value != old[field] and field not in ALWAYS_NEW}
        return {"overview": changed | {field: new[field] for field in ALWAYS_NEW}} if changed else None


class NotificationsTopic(Topic):
    """`notifications`: what waits for a person; whole, whenever it changes. Each caller has tokens of their own."""

    kind = "notifications"
    period_s = 3.0

    def __init__(self, call: Call, name: str) -> None:
        super().__init__(call, name, f"{call.caller.role:d} {call.caller.principal_id}")

    def look(self) -> Data:
        return {"items": notifications_of(self.call)}

    def changes(self, before: Data, now: Data) -> Data | None:
        return now if now != before else None
