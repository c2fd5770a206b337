-- Schedules and what they fired. A daemon locks what it fires; the key of schedule_fire is the second lock.

-- name: list_schedules_of
SELECT definition_id, name, cron, timezone, catchup, catchup_limit, enabled, enabled_override,
    COALESCE(enabled_override, enabled) AS is_on, next_fire_at, held_at, calendar, session_time, session_days, day_window, params,
    file_schedule, file_says, set_by, set_at, set_reason, fact_kind, fact_name, facts_since_at,
    disabled_by, disabled_at
FROM qflow.schedule WHERE definition_id = :definition_id ORDER BY name

-- name: list_schedules_by_calendar
SELECT s.definition_id, s.name, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window, s.next_fire_at,
    s.held_at, d.tenant
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.calendar <> '' ORDER BY s.definition_id, s.name

-- name: list_calendars_of_schedules
SELECT DISTINCT d.tenant, s.calendar FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.calendar <> '' AND COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1 AND d.archived_at IS NULL
ORDER BY d.tenant, s.calendar

-- name: list_zones
SELECT DISTINCT timezone FROM qflow.schedule ORDER BY timezone

-- name: save_schedule
INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, enabled_override, next_fire_at,
    held_at, calendar, session_time, session_days, day_window, params, file_schedule, file_says, set_by, set_at, set_reason,
    fact_kind, fact_name, facts_since_at)
VALUES (:definition_id, :name, :cron, :timezone, :catchup, :catchup_limit, :enabled, :enabled_override, :next_fire_at,
    :held_at, :calendar, :session_time, :session_days, :day_window, :params, :file_schedule, :file_says, :set_by, :set_at,
    :set_reason, :fact_kind, :fact_name, :facts_since_at)
{upsert: definition_id, name} cron = {excluded: cron}, timezone = {excluded: timezone}, catchup = {excluded: catchup},
    catchup_limit = {excluded: catchup_limit}, enabled = {excluded: enabled}, enabled_override = {excluded: enabled_override},
    next_fire_at = {excluded: next_fire_at}, held_at = {excluded: held_at}, calendar = {excluded: calendar},
    session_time = {excluded: session_time}, session_days = {excluded: session_days}, day_window = {excluded: day_window},
    params = {excluded: params}, file_schedule = {excluded: file_schedule}, file_says = {excluded: file_says},
    set_by = {excluded: set_by}, set_at = {excluded: set_at}, set_reason = {excluded: set_reason},
    fact_kind = {excluded: fact_kind}, fact_name = {excluded: fact_name}, facts_since_at = {excluded: facts_since_at}

-- name: delete_schedule
DELETE FROM qflow.schedule WHERE definition_id = :definition_id AND name = :name

-- name: delete_schedules
DELETE FROM qflow.schedule WHERE definition_id = :definition_id

-- name: switch_schedule
-- Who has disabled one, when and why; NULL of one that is enabled.
UPDATE qflow.schedule SET enabled_override = :enabled, disabled_by = :disabled_by, disabled_at = :disabled_at,
    disable_reason = :disable_reason
WHERE definition_id = :definition_id AND name = :name

-- name: lock_schedule
-- Until its transaction ends, the clock does not fire it.
UPDATE qflow.schedule SET name = :name WHERE definition_id = :definition_id AND name = :name

-- name: set_next_fire
UPDATE qflow.schedule SET next_fire_at = :next_fire_at, held_at = :held_at, facts_since_at = :facts_since_at
WHERE definition_id = :definition_id AND name = :name

-- name: replan_schedule
-- Neither what is due, nor what has other times than those that were read, or was planned anew since.
UPDATE qflow.schedule SET next_fire_at = :next_fire_at, held_at = :held_at
WHERE definition_id = :definition_id AND name = :name AND cron = :cron AND timezone = :timezone
    AND calendar = :calendar AND session_time = :session_time AND session_days = :session_days AND day_window = :day_window
    AND COALESCE(next_fire_at, {forever}) = :was_at AND COALESCE(next_fire_at, {forever}) > :now

-- shared: may_start
COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1 AND d.archived_at IS NULL AND d.paused_at IS NULL

-- name: list_due_schedules
SELECT s.definition_id, s.name, s.calendar, d.tenant, d.workflow
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.next_fire_at <= :now AND {may_start}
ORDER BY s.next_fire_at, s.definition_id, s.name LIMIT {literal: batch}

-- name: next_schedule
-- Later than `now`: what is due already is the next round's affair.
SELECT MIN(s.next_fire_at) AS next_fire_at
FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.next_fire_at > :now AND {may_start}

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

-- name: list_fired_days
-- Days that a schedule has fired for, by the clock or a command, with a run that is still to begin, under way, or ended well.
SELECT f.definition_id, f.name, f.business_date FROM {rows: definition_id bigint, name text, business_date date} r
{only: mysql STRAIGHT_JOIN}{only: postgres,sqlite JOIN} qflow.schedule_fire f
    ON f.definition_id = r.definition_id AND f.name = r.name AND f.business_date = r.business_date
LEFT JOIN qflow.workflow_instance i ON i.id = f.instance_id
WHERE i.state NOT IN ({instance.FAILED}, {instance.TERMINATED})
    OR i.id IS NULL AND EXISTS (SELECT 1 FROM qflow.submissions s WHERE s.id = f.instance_id AND s.is_open = 1)

-- name: link_fires
{update: qflow.schedule_fire f, definition_id bigint, name text, fire_at instant, instance_id bigint
    | f.definition_id = d.definition_id AND f.name = d.name AND f.fire_at = d.fire_at}
instance_id = d.instance_id, is_missed = 0

-- name: set_schedule_error
UPDATE qflow.workflow_definition SET error = :error, updated_at = :now WHERE id = :definition_id

-- shared: schedule_behind
s.definition_id > :after_definition_id OR (s.definition_id = :after_definition_id AND s.name > :after_name)

-- name: find_fact_starts
-- On which kinds of facts schedules start: where none does, nobody looks for one.
SELECT DISTINCT fact_kind FROM qflow.schedule WHERE fact_kind IS NOT NULL ORDER BY fact_kind

-- name: list_workflow_starts
-- Which workflow starts on the success of which.
SELECT d.tenant, d.workflow, s.definition_id, s.fact_name FROM qflow.schedule s JOIN qflow.workflow_definition d ON d.id = s.definition_id
WHERE s.fact_kind = {fact.WORKFLOW} ORDER BY s.definition_id, s.name

-- name: list_workflow_facts
-- Instances that have succeeded for the first time since schedules begin to count them, and that have not started those. Each look begins with the
-- first, as what ends first may be committed last.
SELECT s.definition_id, s.name, d.tenant, d.workflow, d.active_version, s.fact_kind, s.fact_name, x.id AS fact_id, x.business_date,
    s.fact_name AS subject, NULL AS payload
FROM qflow.schedule s
JOIN qflow.workflow_definition d ON d.id = s.definition_id
JOIN qflow.workflow_definition o ON o.tenant = d.tenant AND o.workflow = s.fact_name
JOIN qflow.workflow_instance x {only: mysql FORCE INDEX (workflow_instance_definition)} ON x.definition_id = o.id
WHERE s.fact_kind = {fact.WORKFLOW} AND {may_start} AND x.state = {instance.SUCCESS} AND x.finished_at >= s.facts_since_at
    AND (x.first_success_at IS NULL OR x.first_success_at >= s.facts_since_at)
    AND x.id >= :after_id AND (x.id > :after_id OR {schedule_behind})
    AND NOT EXISTS (SELECT 1 FROM qflow.schedule_fire f WHERE f.definition_id = s.definition_id AND f.name = s.name
        AND f.fact_kind = {fact.WORKFLOW} AND f.fact_id = x.id)
ORDER BY x.id, s.definition_id, s.name LIMIT {literal: batch}

-- name: list_dataset_facts
-- Datasets of a series, by their first versions.
SELECT s.definition_id, s.name, d.tenant, d.workflow, d.active_version, s.fact_kind, s.fact_name, v.id AS fact_id, v.business_date,
    x.name AS subject, NULL AS payload
FROM qflow.schedule s
JOIN qflow.workflow_definition d ON d.id = s.definition_id
JOIN qflow.dataset x ON x.tenant = d.tenant AND x.series = s.fact_name
JOIN qflow.dataset_version v ON v.dataset_id = x.id AND v.version = 1
WHERE s.fact_kind = {fact.DATASET} AND {may_start} AND v.recorded_at >= s.facts_since_at
    AND v.id >= :after_id AND (v.id > :after_id OR {schedule_behind})
    AND NOT EXISTS (SELECT 1 FROM qflow.schedule_fire f WHERE f.definition_id = s.definition_id AND f.name = s.name
        AND f.fact_kind = {fact.DATASET} AND f.fact_id = v.id)
ORDER BY v.id, s.definition_id, s.name LIMIT {literal: batch}

-- name: list_signal_facts
-- Signals that have been taken; whoever takes one need not know whom it starts. CROSS JOIN: SQLite with old statistics would begin
-- with all signals.
SELECT s.definition_id, s.name, d.tenant, d.workflow, d.active_version, s.fact_kind, s.fact_name, x.id AS fact_id, x.business_date,
    x.name AS subject, x.payload
FROM qflow.schedule s
JOIN qflow.workflow_definition d ON d.id = s.definition_id
{only: sqlite CROSS JOIN}{only: postgres,mysql JOIN} qflow.signals x ON x.tenant = d.tenant AND x.name = s.fact_name AND LENGTH(x.tenant) <= 200 AND LENGTH(x.name) <= 200
WHERE s.fact_kind = {fact.SIGNAL} AND {may_start} AND x.is_open = 0 AND x.state = 'ACCEPTED' AND x.answered_at >= {instant: s.facts_since_at}
    AND (x.lapses_at IS NULL OR x.lapses_at > :now)
    AND x.id >= :after_id AND (x.id > :after_id OR {schedule_behind})
    AND NOT EXISTS (SELECT 1 FROM qflow.schedule_fire f WHERE f.definition_id = s.definition_id AND f.name = s.name
        AND f.fact_kind = {fact.SIGNAL} AND f.fact_id = x.id)
ORDER BY x.id, s.definition_id, s.name LIMIT {literal: batch}

-- name: lock_fact_schedules
-- Those that still start on what was read. What another daemon has locked, it starts.
SELECT s.definition_id, s.name, s.params, s.last_fire_at
FROM {rows: definition_id bigint, name text, fact_kind smallint, fact_name text} r
{only: mysql STRAIGHT_JOIN}{only: postgres,sqlite JOIN} qflow.schedule s ON s.definition_id = r.definition_id AND s.name = r.name
WHERE s.fact_kind = r.fact_kind AND s.fact_name = r.fact_name AND COALESCE(s.enabled_override, s.enabled) = 1
{lock}

-- name: insert_fact_fires
INSERT INTO qflow.schedule_fire (definition_id, name, fire_at, business_date, fact_kind, fact_id, created_at)
SELECT r.definition_id, r.name, r.fire_at, r.business_date, r.fact_kind, r.fact_id, :now
FROM {rows: definition_id bigint, name text, fire_at instant, business_date date, fact_kind smallint, fact_id bigint} r WHERE 1 = 1
{ignored: schedule_fire.name}

-- name: find_fact_fires
-- Those that were inserted just now: what had started before has another instant.
SELECT f.definition_id, f.name, f.fire_at
FROM {rows: definition_id bigint, name text, fire_at instant, fact_kind smallint, fact_id bigint} r
JOIN qflow.schedule_fire f ON f.definition_id = r.definition_id AND f.name = r.name AND f.fire_at = r.fire_at
WHERE f.fact_kind = r.fact_kind AND f.fact_id = r.fact_id AND f.instance_id IS NULL

-- name: note_fact_fires
{update: qflow.schedule s, definition_id bigint, name text, last_fire_at instant | s.definition_id = d.definition_id AND s.name = d.name}
last_fire_at = d.last_fire_at
