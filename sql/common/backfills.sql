-- Backfills. Whoever makes one has locked its workflow; whoever changes one, or its dates, has locked its row, and then waits
-- for no other.

-- shared: may_run
CASE WHEN d.enabled = 1 AND d.archived_at IS NULL AND d.paused_at IS NULL AND d.active_version IS NOT NULL THEN 1 ELSE 0 END AS may_run

-- name: insert_backfill
INSERT INTO qflow.backfill (tenant, definition_id, first_date, last_date, calendar, only_missing, newest_first, max_active,
    priority, params, day_window, timezone, state, run_s, reason, requested_by, created_at, updated_at)
VALUES (:tenant, :definition_id, CAST(:first_date AS {date_cast}), CAST(:last_date AS {date_cast}), :calendar, :only_missing,
    :newest_first, :max_active, :priority, :params, :day_window, :timezone, {backfill.RUNNING}, 0, :reason, :requested_by, :now, :now)
{returning: id}

-- name: insert_backfill_dates
INSERT INTO qflow.backfill_date (backfill_id, place, business_date, state)
SELECT r.backfill_id, r.place, r.business_date, {of_date.OPEN}
FROM {rows: backfill_id bigint, place int, business_date date} r WHERE 1 = 1
{ignored: backfill_date.state}

-- name: find_overlapping_backfill
SELECT b.id, b.first_date, b.last_date FROM qflow.backfill b
WHERE b.definition_id = :definition_id AND b.state < {backfill.DONE}
    AND b.first_date <= CAST(:last_date AS {date_cast}) AND b.last_date >= CAST(:first_date AS {date_cast})
ORDER BY b.id LIMIT 1

-- name: list_dates_with_runs
-- `covered`: 1 if one of the runs of a workflow for the date is good, or open.
SELECT r.place, MAX(CASE WHEN i.state <= {instance.SUCCESS} THEN 1 ELSE 0 END) AS covered
FROM {rows: place int, business_date date} r
JOIN qflow.workflow_instance i ON i.business_date = r.business_date AND i.definition_id = :definition_id
GROUP BY r.place

-- name: show_backfills
SELECT * FROM qflow.backfills WHERE tenant = :tenant AND id < :before ORDER BY id DESC LIMIT {literal: batch}

-- name: show_backfill
SELECT * FROM qflow.backfills WHERE tenant = :tenant AND id = :id

-- name: show_backfill_dates
SELECT * FROM qflow.backfill_dates WHERE tenant = :tenant AND backfill_id = :id AND place > :after
ORDER BY place LIMIT {literal: batch}

-- name: list_open_backfills
-- What there is to do of each: `ended` of its active dates have ended; `may_run`: its workflow takes submissions that begin.
SELECT b.id, b.tenant, b.state, b.max_active, b.resumes_at,
    {may_run},
    (SELECT COUNT(*) FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.ACTIVE}) AS active,
    (SELECT COUNT(*) FROM qflow.backfill_date x
        LEFT JOIN qflow.submissions s ON s.id = x.submission_id LEFT JOIN qflow.workflow_instance i ON i.id = x.submission_id
        WHERE x.backfill_id = b.id AND x.state = {of_date.ACTIVE}
        AND (i.state >= {instance.SUCCESS} OR (i.id IS NULL AND COALESCE(s.is_open, 0) = 0))) AS ended,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.OPEN}) THEN 1 ELSE 0 END AS has_open
FROM qflow.backfill b JOIN qflow.workflow_definition d ON d.id = b.definition_id
WHERE b.state < {backfill.DONE} AND b.id > :after ORDER BY b.id LIMIT {literal: batch}

-- name: lock_backfill
SELECT b.id, b.tenant, b.definition_id, b.only_missing, b.max_active, b.priority, b.params, b.day_window, b.timezone, b.state,
    b.resumes_at, b.hold, b.paused_by, b.paused_at, b.pause_reason, b.run_s
FROM qflow.backfill b WHERE b.id = :id AND b.tenant = :tenant {only: postgres,mysql FOR UPDATE}

-- name: find_workflow_of_backfill
SELECT d.workflow, {may_run} FROM qflow.workflow_definition d WHERE d.id = :definition_id

-- name: list_active_dates
-- What has become of them: of an instance by its state, of a submission that was refused by its error.
SELECT x.place, x.submission_id, s.is_open, s.error_code, s.error, i.state, i.created_at, i.finished_at
FROM qflow.backfill_date x
LEFT JOIN qflow.submissions s ON s.id = x.submission_id
LEFT JOIN qflow.workflow_instance i ON i.id = x.submission_id
WHERE x.backfill_id = :id AND x.state = {of_date.ACTIVE} ORDER BY x.place

-- name: list_open_dates
SELECT x.place, x.business_date FROM qflow.backfill_date x
WHERE x.backfill_id = :id AND x.state = {of_date.OPEN} ORDER BY x.place LIMIT {literal: batch}

-- name: set_backfill_dates
{update: qflow.backfill_date x, backfill_id bigint, place int, state smallint, submission_id bigint
    | x.backfill_id = d.backfill_id AND x.place = d.place}
state = d.state, submission_id = d.submission_id

-- name: update_backfill
UPDATE qflow.backfill SET state = :state, resumes_at = :resumes_at, hold = :hold, paused_by = :paused_by,
    paused_at = :paused_at, pause_reason = :pause_reason, run_s = :run_s,
    updated_at = :now, finished_at = CASE WHEN :state >= {backfill.DONE} THEN :now ELSE finished_at END
WHERE id = :id
