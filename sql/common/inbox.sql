-- Inboxes: taking what clients wrote, answering in the row.

-- name: take_submissions
-- `run_at` is read as it stands: SQLite lets clients write anything. What is too long to be meant is not read at all.
-- `tenant_revision`: NULL where the tenant has no walls. So nothing has to be asked for those.
SELECT id, tenant, workflow, version, job, name, CASE WHEN LENGTH(params) <= 1048576 THEN params END AS params,
    LENGTH(params) AS params_size, CASE WHEN LENGTH(overrides) <= 1048576 THEN overrides END AS overrides,
    LENGTH(overrides) AS overrides_size, business_date, priority, run_at, hold, allow_duplicates, idempotency_key,
    trigger_type, created_at, (SELECT x.revision FROM qflow.tenant x WHERE x.name = s.tenant) AS tenant_revision
FROM qflow.submissions s WHERE is_open = 1 AND id BETWEEN :first AND :last ORDER BY id LIMIT {literal: batch} {lock}

-- name: list_open_submissions
-- Ids alone: a driver may stumble over anything else that a client wrote.
SELECT id FROM qflow.submissions WHERE is_open = 1 ORDER BY id LIMIT {literal: batch}

-- name: find_largest_id
-- Of a submission. Where the counter follows ids that clients write, the end of the range is kept for the counter.
SELECT {only: postgres 4398046511104}{only: sqlite,mysql COALESCE(MAX(i.id), 0) + 4294967296} AS largest
{only: sqlite,mysql FROM qflow.workflow_instance i}

-- name: find_strays
-- Ids that push the counter. Of commands and signals the first, and the last of those below, after which there is room.
SELECT (SELECT COUNT(*) FROM qflow.submissions WHERE id > :largest) AS submissions,
    (SELECT COUNT(*) FROM qflow.submissions WHERE id > :largest AND is_open = 0 AND answered_at < {instant: :since}) AS read_submissions,
    (SELECT COUNT(*) FROM qflow.commands WHERE id > :high AND is_open = 0 AND answered_at < {instant: :since}) AS read_commands,
    (SELECT MIN(id) FROM qflow.commands WHERE id > :high) AS commands,
    (SELECT MIN(id) FROM qflow.signals WHERE id > :high) AS signals,
    (SELECT MAX(id) FROM qflow.commands WHERE id BETWEEN 1 AND :low) AS last_command,
    (SELECT MAX(id) FROM qflow.signals WHERE id BETWEEN 1 AND :low) AS last_signal

-- name: delete_strays
DELETE FROM qflow.submissions WHERE id > :largest AND is_open = 0

-- name: move_commands
-- Nobody but who waits for the answer knows a command by its id. (PostgreSQL's counter does not follow ids.)
{only: postgres SELECT :down + :high AS done WHERE 1 = 0}
{only: sqlite,mysql UPDATE qflow.commands SET id = id - :down WHERE id > :high AND is_open = 0}
{only: mysql ORDER BY id}

-- name: move_signals
{only: postgres SELECT :down + :high AS done WHERE 1 = 0}
{only: sqlite,mysql UPDATE qflow.signals SET id = id - :down WHERE id > :high} {only: mysql ORDER BY id}

-- name: put_back_counters
-- The next id is the largest there is plus one. MySQL: commits by itself; a second's wait at most, all INSERTs wait behind it.
{only: postgres SELECT 0 AS done}{only: mysql SET SESSION lock_wait_timeout = 1}
{only: sqlite UPDATE qflow.sqlite_sequence SET seq = MAX(0, COALESCE(CASE name
    WHEN 'submissions' THEN (SELECT MAX(n) FROM (SELECT MAX(id) AS n FROM qflow.submissions
        UNION ALL SELECT MAX(id) FROM qflow.workflow_instance))
    WHEN 'commands' THEN (SELECT MAX(id) FROM qflow.commands)
    ELSE (SELECT MAX(id) FROM qflow.signals) END, 0)) WHERE name IN ('submissions', 'commands', 'signals')}
-- then
{only: postgres,sqlite SELECT 0 AS done}{only: mysql ALTER TABLE qflow.submissions AUTO_INCREMENT = 1}
-- then
{only: postgres,sqlite SELECT 0 AS done}{only: mysql ALTER TABLE qflow.commands AUTO_INCREMENT = 1}
-- then
{only: postgres,sqlite SELECT 0 AS done}{only: mysql ALTER TABLE qflow.signals AUTO_INCREMENT = 1}

-- name: answer_submissions
{update: qflow.submissions s, id bigint, answer text, instance_id bigint, reason text, code int
    | s.id = d.id AND s.is_open = 1}
is_open = 0, answered_at = {instant: :now}, state = d.answer, instance_id = d.instance_id, error = d.reason, error_code = d.code

-- name: insert_submission
INSERT INTO qflow.submissions (tenant, workflow, version, job, name, params, overrides, business_date, priority, run_at, hold,
    allow_duplicates, idempotency_key, trigger_type, submitted_by)
VALUES (:tenant, :workflow, :version, :job, :name, :params, :overrides, CAST(:business_date AS {date_cast}), :priority,
    {instant: :run_at}, :hold, :allow_duplicates, :idempotency_key, :trigger_type, :submitted_by)
{returning: id}

-- name: insert_command
INSERT INTO qflow.commands (tenant, action, instance_id, workflow, task, task_id, filter, args, reason, requested_by)
VALUES (:tenant, :action, :instance_id, :workflow, :task, :task_id, :filter, :args, :reason, :requested_by)
{returning: id}

-- name: show_submission
SELECT id, state, instance_id, error, answered_at FROM qflow.submissions
WHERE id = :id AND tenant = :tenant

-- name: show_command
SELECT id, state, result, error, answered_at FROM qflow.commands
WHERE id = :id AND tenant = :tenant

-- name: list_open_commands
-- The ids alone: whatever else the client wrote, the row must be known to be answered.
SELECT id FROM qflow.commands WHERE is_open = 1 AND id >= :least ORDER BY id LIMIT {literal: batch}

-- name: take_command
SELECT id, tenant, action, instance_id, workflow, task, task_id, filter, args, reason, requested_by FROM qflow.commands
WHERE id = :id AND is_open = 1 {lock}

-- name: answer_command
UPDATE qflow.commands SET is_open = 0, answered_at = {instant: :now}, state = :state, result = :result, error = :error,
    error_code = :error_code
WHERE id = :id AND is_open = 1

-- name: find_open_work
-- One statement tells an idle daemon whether there is anything to do.
SELECT (SELECT MIN(id) FROM qflow.submissions WHERE is_open = 1) AS submission,
    (SELECT MIN(id) FROM qflow.commands WHERE is_open = 1) AS command,
    (SELECT MIN(id) FROM qflow.signals WHERE is_open = 1) AS fact,
    (SELECT MIN(due_at) FROM qflow.timer) AS due_at
