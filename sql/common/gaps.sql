-- Gaps: sessions as rows, and which of them workflows are for. The views session_runs and gaps are made of these.

-- name: list_session_workflows
-- Those with a calendar, and those whose active version has not been looked at.
SELECT d.id, d.tenant, d.active_version, w.version_id, w.calendar, w.set_id, w.next_day, w.next_at
FROM qflow.workflow_definition d LEFT JOIN qflow.session_workflow w ON w.definition_id = d.id
WHERE d.active_version IS NOT NULL AND d.archived_at IS NULL
    AND (w.version_id IS NULL OR w.version_id <> d.active_version OR w.calendar <> '')
ORDER BY d.id

-- name: list_schedules_of_sessions
-- Of workflows with a calendar: those that fire.
SELECT s.definition_id, s.name, s.cron, s.timezone, s.next_fire_at, s.calendar, s.session_time, s.session_days, s.day_window
FROM qflow.session_workflow w JOIN qflow.workflow_definition d ON d.id = w.definition_id
JOIN qflow.schedule s ON s.definition_id = w.definition_id
WHERE w.calendar <> '' AND COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1 AND d.paused_at IS NULL

-- name: save_session_workflows
INSERT INTO qflow.session_workflow (definition_id, version_id, calendar, set_id, next_day, next_at)
SELECT r.definition_id, r.version_id, r.calendar, r.set_id, r.next_day, r.next_at
FROM {rows: definition_id bigint, version_id bigint, calendar text, set_id bigint, next_day date, next_at instant} r WHERE 1 = 1
{upsert: definition_id} version_id = {excluded: version_id}, calendar = {excluded: calendar}, set_id = {excluded: set_id},
    next_day = {excluded: next_day}, next_at = {excluded: next_at}

-- name: add_session_set
INSERT INTO qflow.session_set (tenant, calendar, days, hash) VALUES (:tenant, :calendar, :days, '') {ignored: session_set.hash}

-- name: find_session_set
SELECT id, hash FROM qflow.session_set WHERE tenant = :tenant AND calendar = :calendar AND days = :days

-- name: claim_session_set
-- The row count says who writes its days.
UPDATE qflow.session_set SET hash = :hash WHERE id = :id AND hash <> :hash

-- name: delete_session_days
DELETE FROM qflow.session_day WHERE set_id = :id

-- name: insert_session_days
INSERT INTO qflow.session_day (set_id, day, over_at)
SELECT r.set_id, r.day, r.over_at FROM {rows: set_id bigint, day date, over_at instant} r
