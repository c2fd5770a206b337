-- Late dates: by when runs are expected or stopped, and which dates had no good one. The view late_dates is made of these.

-- name: find_expectations
SELECT e.kind, e.due_by, e.calendar FROM qflow.expectation e WHERE e.definition_id = :definition_id

-- name: save_expectation
-- Who expects it at another time begins now.
INSERT INTO qflow.expectation (definition_id, kind, due_by, calendar, judged_day)
VALUES (:definition_id, :kind, :due_by, :calendar, NULL)
{upsert: definition_id, kind} due_by = {excluded: due_by}, calendar = {excluded: calendar}, judged_day = NULL

-- name: delete_expectation
DELETE FROM qflow.expectation WHERE definition_id = :definition_id AND kind = :kind

-- name: delete_expectations
DELETE FROM qflow.expectation WHERE definition_id = :definition_id

-- name: delete_late_dates
DELETE FROM qflow.late_date WHERE definition_id = :definition_id

-- name: list_expectations
SELECT e.definition_id, e.kind, d.tenant, d.workflow, e.due_by, e.calendar, e.judged_day,
    CASE WHEN d.enabled = 1 AND d.archived_at IS NULL THEN 1 ELSE 0 END AS is_on
FROM qflow.expectation e JOIN qflow.workflow_definition d ON d.id = e.definition_id ORDER BY e.definition_id, e.kind

-- name: list_calendars_of_expectations
SELECT d.workflow, e.calendar FROM qflow.expectation e JOIN qflow.workflow_definition d ON d.id = e.definition_id
WHERE d.tenant = :tenant AND e.calendar <> '' ORDER BY e.definition_id, e.kind

-- name: list_schedules_of_expectations
SELECT s.definition_id, s.name, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window,
    COALESCE(s.enabled_override, s.enabled) AS is_on, s.next_fire_at
FROM qflow.schedule s WHERE s.definition_id IN (SELECT e.definition_id FROM qflow.expectation e) ORDER BY s.definition_id, s.name

-- name: list_days_with_fires
SELECT f.definition_id, f.name FROM {rows: definition_id bigint, name text, business_date date} r
{only: mysql STRAIGHT_JOIN}{only: postgres,sqlite JOIN} qflow.schedule_fire f
    ON f.definition_id = r.definition_id AND f.name = r.name AND f.business_date = r.business_date

-- name: set_judged_day
-- Only forward, and only of what is still said. NULL: it is off, and begins when it is on again. The row count says who has done it.
UPDATE qflow.expectation SET judged_day = :judged_day
WHERE definition_id = :definition_id AND kind = :kind AND due_by = :due_by AND calendar = :calendar
    AND (CAST(:judged_day AS {date_cast}) IS NULL OR judged_day IS NULL OR judged_day < CAST(:judged_day AS {date_cast}))

-- name: list_overdue
-- Instances that had begun by then and not ended. What was begun or retried since is meant to run; those that are compensated end by
-- themselves.
SELECT i.id FROM {rows: definition_id bigint, business_date date, due_at instant} r
JOIN qflow.workflow_instance i ON i.business_date = r.business_date AND i.definition_id = r.definition_id
WHERE i.started_at <= r.due_at AND (i.state = {instance.PAUSED} OR i.state = {instance.RUNNING} AND i.updated_at <= r.due_at)
    AND i.saga_state <> {saga.COMPENSATING}

-- name: flag_overdue
UPDATE qflow.workflow_instance SET intent = {intent.TERMINATE}, reason = {reason.DEADLINE}
WHERE id = :id AND state IN ({instance.RUNNING}, {instance.PAUSED}) AND intent NOT IN ({intent.TERMINATE}, {intent.FINALLY}, {intent.ABORT})

-- name: list_first_successes
SELECT r.definition_id, r.business_date, (SELECT MIN(i.finished_at) FROM qflow.workflow_instance i
    WHERE i.business_date = r.business_date AND i.definition_id = r.definition_id AND i.state = {instance.SUCCESS}) AS succeeded_at
FROM {rows: definition_id bigint, business_date date} r

-- name: insert_late_dates
INSERT INTO qflow.late_date (tenant, definition_id, business_date, expected_at, noticed_at, ended_at)
SELECT r.tenant, r.definition_id, r.business_date, r.expected_at, :now, r.ended_at
FROM {rows: tenant text, definition_id bigint, business_date date, expected_at instant, ended_at instant} r WHERE 1 = 1
{ignored: late_date.tenant}

-- name: list_open_late_dates
-- `is_withdrawn`: nobody expects runs of the workflow any more, also as its file is gone.
SELECT l.id, l.tenant, l.definition_id, l.business_date, l.expected_at, (SELECT MIN(i.finished_at) FROM qflow.workflow_instance i
        WHERE i.business_date = l.business_date AND i.definition_id = l.definition_id AND i.state = {instance.SUCCESS}) AS succeeded_at,
    CASE WHEN e.definition_id IS NULL OR d.archived_at IS NOT NULL OR d.enabled = 0 AND d.error IS NOT NULL
        THEN 1 ELSE 0 END AS is_withdrawn
FROM qflow.late_date l {only: mysql FORCE INDEX (late_date_open)}
LEFT JOIN qflow.expectation e ON e.definition_id = l.definition_id AND e.kind = 0
LEFT JOIN qflow.workflow_definition d ON d.id = l.definition_id
WHERE l.ended_at IS NULL ORDER BY l.id

-- name: delete_late_date
DELETE FROM qflow.late_date WHERE id = :id

-- name: end_late_dates
{update: qflow.late_date x, id bigint, ended_at instant | x.id = d.id AND x.ended_at IS NULL} ended_at = d.ended_at

-- name: find_late
-- Newest first; with `is_all` those as well that are not late any more.
SELECT l.id, l.workflow, l.business_date, l.expected_at, l.noticed_at, l.ended_at, l.state, l.instance_id
FROM qflow.late_dates l WHERE l.tenant = :tenant AND l.id < :before AND (:is_all = 1 OR l.ended_at IS NULL)
ORDER BY l.id DESC LIMIT {literal: batch}
