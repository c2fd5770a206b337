-- Tasks that wait for facts: they are about to in lanes of the pool '(wait)', which nobody claims, and PENDING while they do.

-- name: find_open_waits
-- One look says what there is to do, however many tasks wait: each subselect reads one row. MySQL does so for a single state.
SELECT (SELECT MIN(s.id) FROM qflow.signals s WHERE s.is_open = 1) AS open_signal,
    (SELECT MIN(w.task_id) FROM qflow.waiter w WHERE w.state = {wait.NEW}) AS fresh,
    (SELECT MIN(w.task_id) FROM qflow.waiter w WHERE w.state IN ({wait.MET}, {wait.OVER})) AS woken,
    (SELECT MIN(w.deadline_at) FROM qflow.waiter w {only: sqlite INDEXED BY waiter_deadline} WHERE w.state = {wait.WAITING}) AS deadline_at,
    (SELECT MIN(w.tenant) FROM qflow.waiter w {only: sqlite INDEXED BY waiter_workflow}
        WHERE w.state = {wait.WAITING} AND w.kind = {fact.WORKFLOW}) AS workflow,
    {only: mysql COALESCE((SELECT MIN(w.tenant) FROM qflow.waiter w WHERE w.state = {wait.WAITING} AND w.kind = {fact.DATASET}),
        (SELECT MIN(w.tenant) FROM qflow.waiter w WHERE w.state = {wait.OVER} AND w.kind = {fact.DATASET}))}{only: postgres,sqlite
    (SELECT MIN(w.tenant) FROM qflow.waiter w {only: sqlite INDEXED BY waiter_dataset}
        WHERE w.state IN ({wait.WAITING}, {wait.OVER}) AND w.kind = {fact.DATASET})} AS dataset

-- name: take_ready_waits
-- Of these rows, those that still are as they were seen; they stay so until this transaction has ended.
SELECT t.id FROM {rows: id bigint, fence int} r
{only: mysql STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.task_instance t}
    ON t.id = r.id AND t.fence = r.fence AND t.state = {task.READY}
{lock}

-- name: save_waiters
INSERT INTO qflow.waiter (task_id, fence, tenant, kind, name, business_date, state, subject, began_at, deadline_at, default_answer, lane)
SELECT r.task_id, r.fence, r.tenant, r.kind, r.name, r.business_date, r.state, r.subject, :now, r.deadline_at, r.default_answer, r.lane
FROM {rows: task_id bigint, fence int, tenant text, kind smallint, name text, business_date date, state smallint, subject text,
    deadline_at instant, default_answer smallint, lane int} r WHERE 1 = 1
{upsert: task_id} fence = {excluded: fence}, name = {excluded: name}, business_date = {excluded: business_date}, state = {excluded: state}, subject = {excluded: subject},
    began_at = {excluded: began_at}, deadline_at = {excluded: deadline_at}, default_answer = {excluded: default_answer}, signal_id = NULL,
    instance_id = NULL, dataset_version = NULL, answer = NULL, answered_by = NULL, note = NULL, answered_at = NULL

-- name: load_waiters
SELECT w.task_id, w.lane FROM {rows: task_id bigint} r JOIN qflow.waiter w ON w.task_id = r.task_id

-- name: return_to_waits
-- Rows that start anew wait anew.
{update: qflow.task_instance t, id bigint, lane int | t.id = d.id}
lane = d.lane

-- name: list_open_signals
-- Ids alone: a driver may stumble over anything else that a client wrote.
SELECT id FROM qflow.signals WHERE is_open = 1 ORDER BY id LIMIT {literal: batch}

-- name: take_signals
-- What is too long to be meant is not read at all.
SELECT id, tenant, name, business_date, expires_at, sent_by, CASE WHEN LENGTH(payload) <= 1048576 THEN payload END AS payload,
    LENGTH(payload) AS payload_size
FROM qflow.signals s WHERE is_open = 1 AND id BETWEEN :first AND :last ORDER BY id LIMIT {literal: batch} {lock}

-- name: answer_signals
-- The date as it was read: SQLite lets clients write anything.
{update: qflow.signals s, id bigint, answer text, day date, lapses_at instant, reason text | s.id = d.id AND s.is_open = 1}
is_open = 0, answered_at = {instant: :now}, state = d.answer, lapses_at = d.lapses_at, error = d.reason,
business_date = CASE WHEN d.answer = 'ACCEPTED' THEN d.day ELSE s.business_date END

-- name: meet_waiters
-- All that wait for a signal, by one index range; one with a business date is for tasks of that date.
UPDATE qflow.waiter {only: mysql FORCE INDEX (waiter_fact)} SET state = {wait.MET}, signal_id = :signal_id
WHERE tenant = :tenant AND kind = {fact.SIGNAL} AND name = :name AND state < {wait.MET}
    AND (CAST(:business_date AS {date_cast}) IS NULL OR business_date = CAST(:business_date AS {date_cast}))

-- shared: first_signal
SELECT MIN(s.id) FROM qflow.signals s WHERE s.tenant = w.tenant AND s.name = w.name AND LENGTH(s.tenant) <= 200 AND LENGTH(s.name) <= 200
    AND (s.business_date IS NULL OR s.business_date = w.business_date)

-- name: list_fresh_waiters
-- Tasks that have just registered, with the first signal that is there, and the first that is still to be taken.
SELECT w.task_id, w.fence,
    ({first_signal} AND s.is_open = 0 AND s.state = 'ACCEPTED' AND (s.lapses_at IS NULL OR s.lapses_at > :now)) AS signal_id,
    ({first_signal} AND s.is_open = 1) AS open_id
FROM qflow.waiter w WHERE w.state = {wait.NEW} ORDER BY w.task_id LIMIT {literal: batch}

-- name: settle_waiters
-- A signal that was taken meanwhile has come first.
{update: qflow.waiter w, task_id bigint, fence int, state smallint, signal_id bigint | w.task_id = d.task_id AND w.fence = d.fence}
signal_id = CASE WHEN w.state = {wait.NEW} THEN d.signal_id ELSE w.signal_id END,
state = CASE WHEN w.state = {wait.NEW} THEN d.state ELSE w.state END

-- shared: last_success
SELECT MAX(x.id) FROM qflow.workflow_definition d JOIN qflow.workflow_instance x {only: mysql FORCE INDEX (workflow_instance_date)}
    ON x.business_date = w.business_date AND x.definition_id = d.id AND x.state = {instance.SUCCESS}
    WHERE d.tenant = w.tenant AND d.workflow = w.name

-- name: list_successes
-- Dates for which a workflow has succeeded that tasks wait for; each is looked up once, however many do.
SELECT y.tenant, y.name, y.business_date, y.instance_id
FROM (SELECT w.tenant, w.name, w.business_date, ({last_success}) AS instance_id
    FROM (SELECT DISTINCT w.tenant, w.name, w.business_date FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_workflow)} {only: sqlite INDEXED BY waiter_workflow}
        WHERE w.state = {wait.WAITING} AND w.kind = {fact.WORKFLOW}) w) y
WHERE y.instance_id IS NOT NULL ORDER BY y.tenant, y.name, y.business_date LIMIT {literal: batch}

-- name: list_left_waits
-- Of those and of datasets, waits that are over although nothing has met them: their tasks were skipped, terminated or started anew.
SELECT y.task_id, y.fence FROM (
    SELECT w.task_id, w.fence FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_workflow)} {only: sqlite INDEXED BY waiter_workflow}
        WHERE w.state = {wait.WAITING} AND w.kind = {fact.WORKFLOW}
    UNION ALL SELECT w.task_id, w.fence FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_dataset)} {only: sqlite INDEXED BY waiter_dataset}
        WHERE w.state IN ({wait.WAITING}, {wait.OVER}) AND w.kind = {fact.DATASET}) y
JOIN qflow.task_instance t ON t.id = y.task_id
WHERE t.fence <> y.fence ORDER BY y.task_id LIMIT {literal: batch}

-- name: list_recorded_datasets
-- Datasets that tasks wait for, and that have a version; each is looked up once, however many do.
SELECT d.tenant, d.name, d.version
FROM (SELECT DISTINCT w.tenant, w.name FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_dataset)} {only: sqlite INDEXED BY waiter_dataset}
    WHERE w.state IN ({wait.WAITING}, {wait.OVER}) AND w.kind = {fact.DATASET}) q
JOIN qflow.dataset d ON d.tenant = q.tenant AND d.name = q.name
ORDER BY d.tenant, d.name LIMIT {literal: batch}

-- name: meet_by_dataset
-- All that wait for it, by one index range.
UPDATE qflow.waiter {only: mysql FORCE INDEX (waiter_dataset)} SET state = {wait.MET}, dataset_version = :version, answered_at = :now
WHERE kind = {fact.DATASET} AND state IN ({wait.WAITING}, {wait.OVER}) AND tenant = :tenant AND name = :name

-- name: meet_by_success
-- All that wait for it, by one index range.
UPDATE qflow.waiter {only: mysql FORCE INDEX (waiter_workflow)} SET state = {wait.MET}, instance_id = :instance_id
WHERE kind = {fact.WORKFLOW} AND state = {wait.WAITING} AND tenant = :tenant AND name = :name
    AND business_date = CAST(:business_date AS {date_cast})

-- name: expire_waiters
{update: qflow.waiter w, task_id bigint, fence int | w.task_id = d.task_id AND w.fence = d.fence}
state = CASE WHEN w.state < {wait.MET} THEN {wait.OVER} ELSE w.state END

-- name: expire_overdue_waiters
UPDATE qflow.waiter {only: mysql FORCE INDEX (waiter_deadline)} {only: sqlite INDEXED BY waiter_deadline} SET state = {wait.OVER}
WHERE state = {wait.WAITING} AND deadline_at <= :until_at

-- name: list_woken
-- Tasks whose fact has come or whose time is over, behind a place; of the latter, the signal or the success that is there after all.
-- `open_id`: of what has still to be taken, or is a dataset that will meet it at the next look.
-- `now_fence`: of the row itself, which may have been taken from the wait. `kept_id`: of the success, unless it has been
-- deleted since; if it has begun anew, it has no `succeeded_at`.
SELECT y.*, e.payload AS late_payload, o.id AS kept_id,
    CASE WHEN o.state = {instance.SUCCESS} THEN o.finished_at END AS succeeded_at FROM (
    SELECT t.id, t.node, t.fence AS now_fence, t.kind, t.round, t.attempt, w.fence, w.tenant, l.job, l.limits, w.kind AS fact,
        w.state AS wait_state, w.subject, w.began_at, w.deadline_at, w.answer, w.answered_by, w.note, w.answered_at, w.signal_id, p.payload, f.found, f.remark,
        CASE WHEN w.state = {wait.OVER} AND w.kind = {fact.SIGNAL} THEN
            ({first_signal} AND s.is_open = 0 AND s.state = 'ACCEPTED' AND (s.lapses_at IS NULL OR s.lapses_at > :now)) END AS late_signal_id,
        CASE WHEN w.state = {wait.OVER} AND w.kind = {fact.SIGNAL} THEN ({first_signal} AND s.is_open = 1)
            WHEN w.state = {wait.OVER} AND w.kind = {fact.DATASET} THEN b.id END AS open_id,
        w.name, w.dataset_version, v.metadata,
        CASE WHEN w.state = {wait.OVER} AND w.kind = {fact.WORKFLOW} THEN ({last_success}) ELSE w.instance_id END AS success_id
    FROM qflow.waiter w
    JOIN qflow.lane l ON l.id = w.lane
    JOIN qflow.task_instance t ON t.id = w.task_id
    LEFT JOIN qflow.signals p ON p.id = w.signal_id
    LEFT JOIN qflow.file_wait f ON f.task_id = w.task_id AND f.fence = w.fence
    LEFT JOIN qflow.dataset b ON w.kind = {fact.DATASET} AND b.tenant = w.tenant AND b.name = w.name
    LEFT JOIN qflow.dataset_version v ON v.dataset_id = b.id AND v.version = w.dataset_version
    WHERE w.state IN ({wait.MET}, {wait.OVER}) AND w.task_id > :after ORDER BY w.task_id LIMIT {literal: batch}) y
LEFT JOIN qflow.signals e ON e.id = y.late_signal_id
LEFT JOIN qflow.workflow_instance o ON o.id = y.success_id
ORDER BY y.id

-- name: wake_tasks
-- They may be claimed now.
{update: qflow.task_instance t, id bigint, fence int, lane int | t.id = d.id AND t.fence = d.fence}
state = {task.READY}, fence = t.fence + 1, lane = d.lane, ready_at = :now

-- name: find_wait
-- What a row waits for now, and in words.
SELECT w.kind, y.reason FROM qflow.waiter w JOIN qflow.fact_wait y ON y.task_id = w.task_id
WHERE w.task_id = :task_id AND w.fence = :fence AND w.state < {wait.MET}

-- name: end_waiters
{update: qflow.waiter w, task_id bigint, fence int | w.task_id = d.task_id AND w.fence = d.fence}
state = {wait.ENDED}

-- name: list_approvals_of
-- Of an instance: what waits for an answer, or did. `is_current`: it still does, or has only just been answered.
SELECT w.task_id, w.fence, w.deadline_at, w.default_answer, w.state, w.answer, w.answered_by, w.answered_at,
    CASE WHEN t.fence = w.fence THEN 1 ELSE 0 END AS is_current
FROM qflow.waiter w JOIN qflow.task_instance t ON t.id = w.task_id
WHERE w.task_id BETWEEN :first AND :last AND w.kind = {fact.APPROVAL} ORDER BY w.task_id

-- name: answer_approval
-- The row count says whether nobody was faster and the deadline has not passed.
UPDATE qflow.waiter SET state = {wait.MET}, answer = :answer, answered_by = :answered_by, note = :note, answered_at = :now
WHERE task_id = :task_id AND fence = :fence AND state < {wait.MET} AND (deadline_at IS NULL OR deadline_at > :now)

-- name: insert_signal
INSERT INTO qflow.signals (tenant, name, payload, business_date, expires_at, sent_by)
VALUES (:tenant, :name, :payload, CAST(:business_date AS {date_cast}), {instant: :expires_at}, :sent_by)
{returning: id}
