-- Schedules and what they fired. `next_fire_at` moves by compare and set; the key of schedule_fire is the second lock.

-- name: list_schedules_of
SELECT definition_id, name, cron, timezone, catchup, catchup_limit, enabled, COALESCE(enabled_override, enabled) AS is_on, next_fire_at,
    calendar, session_time, session_days, day_window
FROM qflow.schedule WHERE definition_id = :definition_id ORDER BY name

-- name: list_schedules_by_calendar
SELECT s.definition_id, s.name, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window, d.tenant
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.calendar <> '' ORDER BY s.definition_id, s.name

-- name: list_zones
SELECT DISTINCT timezone FROM qflow.schedule ORDER BY timezone

-- name: save_schedule
INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, enabled_override, next_fire_at,
    calendar, session_time, session_days, day_window)
VALUES (:definition_id, :name, :cron, :timezone, :catchup, :catchup_limit, :enabled, NULL, :next_fire_at,
    :calendar, :session_time, :session_days, :day_window)
{upsert: definition_id, name} cron = {excluded: cron}, timezone = {excluded: timezone}, catchup = {excluded: catchup},
    catchup_limit = {excluded: catchup_limit}, enabled = {excluded: enabled}, enabled_override = NULL,
    next_fire_at = {excluded: next_fire_at}, calendar = {excluded: calendar}, session_time = {excluded: session_time},
    session_days = {excluded: session_days}, day_window = {excluded: day_window}

-- name: delete_schedules
DELETE FROM qflow.schedule WHERE definition_id = :definition_id

-- name: set_next_fire
UPDATE qflow.schedule SET next_fire_at = :next_fire_at WHERE definition_id = :definition_id AND name = :name

-- name: replan_schedule
-- Neither what is due, nor what has other times than those that were read.
UPDATE qflow.schedule SET next_fire_at = :next_fire_at
WHERE definition_id = :definition_id AND name = :name AND cron = :cron AND timezone = :timezone
    AND calendar = :calendar AND session_time = :session_time AND session_days = :session_days AND day_window = :day_window
    AND (next_fire_at IS NULL OR next_fire_at > :now)

-- name: list_due_schedules
SELECT s.definition_id, s.name, s.cron, s.timezone, s.catchup, s.catchup_limit, s.enabled, s.next_fire_at, s.calendar,
    s.session_time, s.session_days, s.day_window, d.tenant, d.workflow
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.next_fire_at <= :now AND COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1
    AND d.archived_at IS NULL AND d.paused_at IS NULL
ORDER BY s.next_fire_at, s.definition_id, s.name LIMIT {literal: batch}

-- name: next_schedule
-- Later than `now`: what is due already is the next round's affair.
SELECT MIN(s.next_fire_at) AS next_fire_at
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.next_fire_at > :now AND COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1 AND d.archived_at IS NULL
    AND d.paused_at IS NULL

-- name: advance_schedule
-- The row count says who may fire what lay between.
UPDATE qflow.schedule SET next_fire_at = :next_fire_at, last_fire_at = COALESCE(:last_fire_at, last_fire_at)
WHERE definition_id = :definition_id AND name = :name AND cron = :cron AND timezone = :timezone
    AND calendar = :calendar AND session_time = :session_time AND session_days = :session_days AND day_window = :day_window
    AND next_fire_at = :was_at AND COALESCE(enabled_override, enabled) = 1

-- name: insert_fire
INSERT INTO qflow.schedule_fire (definition_id, name, fire_at, created_at) VALUES (:definition_id, :name, :fire_at, :now)
{ignored: schedule_fire.name}

-- name: find_fire
SELECT instance_id FROM qflow.schedule_fire WHERE definition_id = :definition_id AND name = :name AND fire_at = :fire_at

-- name: link_fire
UPDATE qflow.schedule_fire SET instance_id = :instance_id
WHERE definition_id = :definition_id AND name = :name AND fire_at = :fire_at

-- name: set_schedule_error
UPDATE qflow.workflow_definition SET error = :error, updated_at = :now WHERE id = :definition_id
