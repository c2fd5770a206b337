-- Schedules and what they fired. A daemon locks what it fires; the key of schedule_fire is the second lock.

-- name: list_schedules_of
SELECT definition_id, name, cron, timezone, catchup, catchup_limit, enabled, enabled_override,
    COALESCE(enabled_override, enabled) AS is_on, next_fire_at, held_at, calendar, session_time, session_days, day_window, params,
    file_schedule, file_says, set_by, set_at, set_reason
FROM qflow.schedule WHERE definition_id = :definition_id ORDER BY name

-- name: list_schedules_by_calendar
SELECT s.definition_id, s.name, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window, s.next_fire_at,
    s.held_at, d.tenant
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.calendar <> '' ORDER BY s.definition_id, s.name

-- name: list_zones
SELECT DISTINCT timezone FROM qflow.schedule ORDER BY timezone

-- name: save_schedule
INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, enabled_override, next_fire_at,
    held_at, calendar, session_time, session_days, day_window, params, file_schedule, file_says, set_by, set_at, set_reason)
VALUES (:definition_id, :name, :cron, :timezone, :catchup, :catchup_limit, :enabled, :enabled_override, :next_fire_at,
    :held_at, :calendar, :session_time, :session_days, :day_window, :params, :file_schedule, :file_says, :set_by, :set_at,
    :set_reason)
{upsert: definition_id, name} cron = {excluded: cron}, timezone = {excluded: timezone}, catchup = {excluded: catchup},
    catchup_limit = {excluded: catchup_limit}, enabled = {excluded: enabled}, enabled_override = {excluded: enabled_override},
    next_fire_at = {excluded: next_fire_at}, held_at = {excluded: held_at}, calendar = {excluded: calendar},
    session_time = {excluded: session_time}, session_days = {excluded: session_days}, day_window = {excluded: day_window},
    params = {excluded: params}, file_schedule = {excluded: file_schedule}, file_says = {excluded: file_says},
    set_by = {excluded: set_by}, set_at = {excluded: set_at}, set_reason = {excluded: set_reason}

-- name: delete_schedule
DELETE FROM qflow.schedule WHERE definition_id = :definition_id AND name = :name

-- name: delete_schedules
DELETE FROM qflow.schedule WHERE definition_id = :definition_id

-- name: switch_schedule
UPDATE qflow.schedule SET enabled_override = :enabled WHERE definition_id = :definition_id AND name = :name

-- name: set_next_fire
UPDATE qflow.schedule SET next_fire_at = :next_fire_at, held_at = :held_at WHERE definition_id = :definition_id AND name = :name

-- name: replan_schedule
-- Neither what is due, nor what has other times than those that were read, or was planned anew since.
UPDATE qflow.schedule SET next_fire_at = :next_fire_at, held_at = :held_at
WHERE definition_id = :definition_id AND name = :name AND cron = :cron AND timezone = :timezone
    AND calendar = :calendar AND session_time = :session_time AND session_days = :session_days AND day_window = :day_window
    AND COALESCE(next_fire_at, {forever}) = :was_at AND COALESCE(next_fire_at, {forever}) > :now

-- name: list_due_schedules
SELECT s.definition_id, s.name, s.calendar, d.tenant, d.workflow
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

-- name: lock_schedules
-- Those that are still to be fired. What another daemon has locked, it fires.
SELECT s.definition_id, s.name, s.cron, s.timezone, s.catchup, s.catchup_limit, s.enabled, s.next_fire_at, s.calendar,
    s.session_time, s.session_days, s.day_window, s.params
FROM {rows: definition_id bigint, name text} r
{only: mysql STRAIGHT_JOIN}{only: postgres,sqlite JOIN} qflow.schedule s ON s.definition_id = r.definition_id AND s.name = r.name
WHERE s.next_fire_at <= :now AND COALESCE(s.enabled_override, s.enabled) = 1
{lock}

-- name: advance_schedules
{update: qflow.schedule s, definition_id bigint, name text, next_fire_at instant, last_fire_at instant, held_at instant
    | s.definition_id = d.definition_id AND s.name = d.name}
next_fire_at = d.next_fire_at, last_fire_at = COALESCE(d.last_fire_at, s.last_fire_at), held_at = d.held_at

-- name: insert_fires
INSERT INTO qflow.schedule_fire (definition_id, name, fire_at, business_date, is_missed, created_at)
SELECT r.definition_id, r.name, r.fire_at, r.business_date, r.is_missed, :now
FROM {rows: definition_id bigint, name text, fire_at instant, business_date date, is_missed smallint} r WHERE 1 = 1
{ignored: schedule_fire.name}

-- name: find_fires
SELECT f.definition_id, f.name, f.fire_at, f.instance_id FROM {rows: definition_id bigint, name text, fire_at instant} r
JOIN qflow.schedule_fire f ON f.definition_id = r.definition_id AND f.name = r.name AND f.fire_at = r.fire_at

-- name: link_fires
{update: qflow.schedule_fire f, definition_id bigint, name text, fire_at instant, instance_id bigint
    | f.definition_id = d.definition_id AND f.name = d.name AND f.fire_at = d.fire_at}
instance_id = d.instance_id, is_missed = 0

-- name: set_schedule_error
UPDATE qflow.workflow_definition SET error = :error, updated_at = :now WHERE id = :definition_id
