-- Calendars as rows: what a tenant says of single days. `calendar_revision` is locked first, and before schedules.

-- name: list_calendar_revisions
SELECT tenant, revision FROM qflow.calendar_revision

-- name: find_calendar_revision
SELECT revision FROM qflow.calendar_revision WHERE tenant = :tenant

-- name: add_calendar_revision
-- What is not there cannot be locked.
INSERT INTO qflow.calendar_revision (tenant, revision) VALUES (:tenant, 0) {ignored: calendar_revision.tenant}

-- name: hold_calendar_revision
SELECT revision FROM qflow.calendar_revision WHERE tenant = :tenant {only: postgres FOR SHARE}{only: mysql LOCK IN SHARE MODE}

-- name: raise_calendar_revision
UPDATE qflow.calendar_revision SET revision = revision + 1 WHERE tenant = :tenant

-- name: load_calendar_overrides
SELECT o.tenant, o.calendar, o.day, o.kind, o.hours
FROM {rows: tenant text} r JOIN qflow.calendar_override o ON o.tenant = r.tenant ORDER BY o.tenant, o.calendar, o.day

-- name: load_own_calendars
SELECT c.tenant, c.name, c.document
FROM {rows: tenant text} r JOIN qflow.own_calendar c ON c.tenant = r.tenant ORDER BY c.tenant, c.name

-- name: list_own_calendars
SELECT name, kind, title, document, set_by, set_at FROM qflow.own_calendars WHERE tenant = :tenant ORDER BY name

-- name: save_own_calendar
INSERT INTO qflow.own_calendar (tenant, name, kind, title, document, set_by, set_at)
VALUES (:tenant, :calendar, :kind, :title, :document, :set_by, :now)
{upsert: tenant, name} kind = {excluded: kind}, title = {excluded: title}, document = {excluded: document},
    set_by = {excluded: set_by}, set_at = {excluded: set_at}

-- name: delete_own_calendar
DELETE FROM qflow.own_calendar WHERE tenant = :tenant AND name = :calendar

-- name: delete_overrides_of_calendar
DELETE FROM qflow.calendar_override WHERE tenant = :tenant AND calendar = :calendar

-- name: find_calendar_overrides
-- Of one day: those of an exchange, and of its products.
SELECT o.calendar, o.kind, o.hours, o.reason, o.set_by, {instant: o.set_at} AS set_at
FROM qflow.calendar_override o WHERE o.tenant = :tenant AND o.day = CAST(:day AS {date_cast}) ORDER BY o.calendar

-- name: list_calendar_overrides
SELECT calendar, day, kind, hours, reason, set_by, set_at FROM qflow.calendar_overrides
WHERE tenant = :tenant ORDER BY calendar, day

-- name: insert_calendar_override
INSERT INTO qflow.calendar_override (tenant, calendar, day, kind, hours, reason, set_by, set_at)
VALUES (:tenant, :calendar, CAST(:day AS {date_cast}), :kind, :hours, :reason, :set_by, :now)

-- name: delete_calendar_override
DELETE FROM qflow.calendar_override WHERE tenant = :tenant AND calendar = :calendar AND day = CAST(:day AS {date_cast})

-- name: list_schedules_of_tenant_by_calendar
SELECT d.workflow, s.definition_id, s.name, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window, s.next_fire_at,
    s.held_at
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE d.tenant = :tenant AND s.calendar <> '' ORDER BY s.definition_id, s.name

-- name: find_name_of_definition
SELECT tenant, workflow FROM qflow.workflow_definition WHERE id = :id

-- name: list_documents_with_calendar
-- Of workflows that may run: what names a calendar for its expressions.
SELECT d.tenant, d.workflow, v.document FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.id = d.active_version
WHERE d.archived_at IS NULL AND d.enabled = 1 AND v.document LIKE '%"calendar":%' ORDER BY d.tenant, d.workflow
