-- Beside the hot six: what an attempt leaves behind, what instances need to close, what recovery asks.

-- name: load_instances
SELECT i.id, i.tenant, i.version_id, i.job, i.name, i.state, i.intent, i.params, i.overrides, i.business_date, i.fire_at,
    i.created_at, i.priority, i.open_closers, i.concurrency_key, i.trigger_type, i.default_pool,
    (SELECT q.name FROM qflow.quota q WHERE q.tenant = i.tenant AND q.name = 'running_tasks') AS running_quota
FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id

-- name: find_ended_unrun
-- Which of these rows have ended without running, with the last row before them; `reason` tells them from jobs that raised Skip.
SELECT t.id, t.state, t.reason, t.node, t.kind, t.round FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id
WHERE t.state IN ({task.SKIPPED}, {task.UPSTREAM_FAILED}) AND t.reason = 0 AND t.open_parents = 0

-- name: load_outputs
-- `large_id`: the output lies in large_value.
SELECT t.id, t.state, t.output, t.fence, t.round, l.task_id AS large_id FROM {rows: id bigint} r
JOIN qflow.task_instance t ON t.id = r.id LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0

-- name: load_large_value
SELECT value FROM qflow.large_value WHERE task_id = :task_id ORDER BY part

-- name: insert_large_value
INSERT INTO qflow.large_value (task_id, part, value)
SELECT r.task_id, r.part, r.value FROM {rows: task_id bigint, part int, value text} r WHERE 1 = 1
{upsert: task_id, part} value = {excluded: value}

-- name: load_checkpoints
SELECT c.task_id, c.value FROM {rows: id bigint} r JOIN qflow.checkpoint c ON c.task_id = r.id

-- name: save_checkpoints
-- One that waited for a lock since it saw the fence does not overwrite what a later claim has saved.
INSERT INTO qflow.checkpoint (task_id, fence, value, updated_at)
SELECT r.task_id, r.fence, r.value, :now FROM {rows: task_id bigint, fence int, value text} r
JOIN qflow.task_instance t ON t.id = r.task_id AND t.fence = r.fence WHERE 1 = 1
{upsert: task_id} value = CASE WHEN checkpoint.fence > {excluded: fence} THEN checkpoint.value ELSE {excluded: value} END,
    updated_at = CASE WHEN checkpoint.fence > {excluded: fence} THEN checkpoint.updated_at ELSE {excluded: updated_at} END,
    fence = CASE WHEN checkpoint.fence > {excluded: fence} THEN checkpoint.fence ELSE {excluded: fence} END

-- name: save_progress
INSERT INTO qflow.task_progress (task_id, fence, done, total, message, updated_at)
SELECT r.task_id, r.fence, r.done, r.total, r.message, :now
FROM {rows: task_id bigint, fence int, done double, total double, message text} r
JOIN qflow.task_instance t ON t.id = r.task_id AND t.fence = r.fence WHERE 1 = 1
{upsert: task_id} fence = {excluded: fence}, done = {excluded: done}, total = {excluded: total},
    message = {excluded: message}, updated_at = {excluded: updated_at}

-- name: find_still_ours
-- After a finish hit fewer rows than it sent: those that are still ours.
SELECT t.id FROM {rows: id bigint, fence int} r JOIN qflow.task_instance t ON t.id = r.id AND t.fence = r.fence

-- name: insert_attempts
INSERT INTO qflow.attempt (task_id, fence, attempt, state, reason, started_at, finished_at, cpu_s, peak_memory_mb, exit_signal,
    code_id, daemon_id, error, traceback)
SELECT r.task_id, r.fence, r.attempt, r.state, r.reason, r.started_at, r.finished_at, r.cpu_s, r.peak_memory_mb, r.exit_signal,
    r.code_id, :daemon_id, r.error, r.traceback
FROM {rows: task_id bigint, fence int, attempt smallint, state smallint, reason smallint, started_at instant,
    finished_at instant, cpu_s double, peak_memory_mb double, exit_signal smallint, code_id int, error text, traceback text} r
WHERE 1 = 1 {ignored: attempt.state}

-- name: rearm_tasks
-- A retry or a deferral: back to PENDING with a timer, owned by nobody.
{update: qflow.task_instance t, id bigint, fence int, attempt smallint, reason smallint | t.id = d.id AND t.fence = d.fence}
state = {task.PENDING}, owner = NULL, attempt = d.attempt, need = 0, started_at = NULL, reason = d.reason, fence = t.fence + 1

-- name: insert_deferrals
INSERT INTO qflow.deferral (task_id, deferred_at) SELECT r.task_id, :now FROM {rows: task_id bigint} r WHERE 1 = 1
{ignored: deferral.task_id}

-- name: count_down_closers
-- MySQL has no RETURNING, so a second statement asks which have none left.
{update: qflow.workflow_instance i, id bigint, closed int | i.id = d.id}
open_closers = i.open_closers - d.closed

-- name: find_closing
SELECT i.id, i.intent, i.reason, i.error, i.saga_state FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id
WHERE i.open_closers <= 0 AND i.state IN ({instance.RUNNING}, {instance.PAUSED})

-- name: count_outcomes
SELECT r.id, t.state, CASE WHEN t.kind = {kind.COMPENSATION} THEN 1 ELSE 0 END AS undoes, COUNT(*) AS tasks
FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id BETWEEN r.id * 1048576 AND r.id * 1048576 + 1048575
GROUP BY r.id, t.state, CASE WHEN t.kind = {kind.COMPENSATION} THEN 1 ELSE 0 END

-- name: count_tolerated
-- Of these instances: failed tasks that do not fail theirs; items and spawned tasks of tasks that succeeded or were skipped.
SELECT r.id, COUNT(*) AS tasks FROM {rows: id bigint} r
JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.task_instance t ON t.id BETWEEN r.id * 1048576 AND r.id * 1048576 + 1048575
JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE t.state IN ({task.FAILED}, {task.UPSTREAM_FAILED}) AND t.kind <> {kind.COMPENSATION}
AND (n.may_fail = 1 AND (t.state = {task.FAILED} OR t.kind = {kind.SPAWNED}) OR t.map_index IS NOT NULL AND EXISTS (
    SELECT 1 FROM qflow.task_instance h WHERE h.id = r.id * 1048576 + t.node AND h.state IN ({task.SUCCESS}, {task.SKIPPED}))) GROUP BY r.id

-- name: close_instances
{update: qflow.workflow_instance i, id bigint, state smallint, reason smallint, error text, saga_state smallint, succeeded int, failed int,
    skipped int | i.id = d.id}
state = d.state, reason = d.reason, saga_state = d.saga_state, error = d.error, succeeded = d.succeeded, failed = d.failed, skipped = d.skipped,
intent = 0, open_closers = 0, finished_at = :now, updated_at = :now, meter = CASE WHEN i.meter = 1 THEN 2 ELSE i.meter END

-- name: list_failed
SELECT i.id, COALESCE(d.workflow, i.job) AS name, i.error FROM {rows: id bigint} r
JOIN qflow.workflow_instance i ON i.id = r.id
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.state = {instance.FAILED}

-- name: first_failure
SELECT {concat: COALESCE(n.task, i.job), CASE WHEN t.label IS NOT NULL THEN {concat: '[', t.label, ']'}
    WHEN t.map_index IS NOT NULL THEN {concat: '[', t.map_index, ']'} ELSE '' END} AS task, a.error
FROM qflow.task_instance t JOIN qflow.workflow_instance i ON i.id = :id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.attempt a ON a.task_id = t.id AND a.fence = t.done_fence
WHERE t.id BETWEEN :first AND :last AND t.state = {task.FAILED} AND t.kind <> {kind.COMPENSATION} AND COALESCE(n.may_fail, 0) = 0
ORDER BY t.id LIMIT 1

-- name: list_due_timers
SELECT task_id, purpose, fence FROM qflow.timer WHERE due_at <= :now ORDER BY due_at LIMIT {literal: batch}

-- name: delete_timers
{delete: qflow.timer m, task_id bigint, purpose smallint, fence int
    | m.task_id = d.task_id AND m.purpose = d.purpose AND m.fence = d.fence}

-- name: list_held
SELECT t.id, t.fence, t.state, t.lane FROM qflow.task_instance t
WHERE t.owner = :owner AND t.state IN ({task.RESERVED}, {task.RUNNING}) ORDER BY t.id

-- name: lock_paused
-- Which of these instances are paused; they stay so until this transaction has ended.
SELECT i.id FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id
WHERE i.state = {instance.PAUSED} ORDER BY i.id {only: postgres FOR SHARE OF i}{only: mysql LOCK IN SHARE MODE}

-- name: find_paused_rows
-- Which of these rows belong to tasks that are paused, and by which rows of paused_task.
SELECT r.id, p.definition_id, p.instance_id, p.task FROM {rows: id bigint, node int} r
JOIN qflow.paused_node y ON y.instance_id = r.id >> 20 AND y.node = r.node
JOIN qflow.workflow_instance i ON i.id = y.instance_id
JOIN qflow.workflow_version v ON v.id = i.version_id
JOIN qflow.paused_task p ON p.definition_id = v.definition_id AND p.task = y.task AND p.instance_id IN (0, i.id)

-- name: lock_paused_tasks
-- They stay as they are until this transaction has ended.
SELECT p.task FROM {rows: definition_id bigint, instance_id bigint, task text} r
{only: mysql STRAIGHT_JOIN qflow.paused_task p FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.paused_task p}
    ON p.definition_id = r.definition_id AND p.instance_id = r.instance_id AND p.task = r.task
ORDER BY p.definition_id, p.instance_id, p.task {only: postgres FOR SHARE OF p}{only: mysql LOCK IN SHARE MODE}

-- name: move_tasks
-- Claimed a moment ago, to be put into their own lane.
{update: qflow.task_instance t, id bigint, fence int, lane int, priority int | t.id = d.id AND t.fence = d.fence}
state = {task.READY}, owner = NULL, fence = t.fence + 1, lane = d.lane, priority = d.priority

-- name: hold_tasks
-- Claimed a moment ago in this transaction, of a paused instance or task.
{update: qflow.task_instance t, id bigint, fence int | t.id = d.id AND t.fence = d.fence}
state = {task.HELD}, owner = NULL, fence = t.fence + 1, started_at = NULL

-- name: find_code
SELECT id FROM qflow.code WHERE hash = :hash AND file = :file

-- name: insert_code
INSERT INTO qflow.code (hash, file) VALUES (:hash, :file) {ignored: code.hash}

-- name: insert_log_lines
INSERT INTO qflow.log_line (task_id, fence, attempt, logged_at, stream, level, logger, message, attributes)
SELECT r.task_id, r.fence, r.attempt, r.logged_at, r.stream, r.level, r.logger, r.message, r.attributes
FROM {rows: task_id bigint, fence int, attempt smallint, logged_at instant, stream text, level text, logger text,
    message text, attributes text} r

-- name: find_log_lines
-- Is a batch there whose COMMIT was not answered?
SELECT l.task_id, l.fence, l.logged_at, l.stream, l.message FROM {rows: task_id bigint, fence int, logged_at instant} r
JOIN qflow.log_line l ON l.task_id = r.task_id AND l.fence = r.fence AND l.logged_at = r.logged_at

-- name: delete_due_timers
-- As they were seen: a deadline may have been moved since.
{delete: qflow.timer m, task_id bigint, purpose smallint, fence int
    | m.task_id = d.task_id AND m.purpose = d.purpose AND m.fence = d.fence AND m.due_at <= :now}

-- name: next_timer
SELECT MIN(due_at) AS due_at FROM qflow.timer

-- name: load_lanes
SELECT l.id, l.tenant, l.pool, l.job, l.limits FROM {rows: id bigint} r JOIN qflow.lane l ON l.id = r.id

-- name: find_workflow
-- It is not paused, resumed or archived until this transaction has ended: what is admitted here is there for those who look then.
SELECT d.id, d.enabled, d.active_version, d.error, d.file, d.archived_at, d.archive_note,
    d.canary_version, d.canary_share, d.paused_at, d.paused_by, d.pause_reason,
    (SELECT COUNT(*) FROM qflow.paused_task p WHERE p.definition_id = d.id AND p.instance_id = 0) AS paused_tasks,
    (SELECT p.pool FROM qflow.domain_pool p WHERE p.domain = d.domain) AS default_pool
FROM qflow.workflow_definition d
WHERE d.tenant = :tenant AND d.workflow = :workflow {only: postgres FOR SHARE OF d}{only: mysql LOCK IN SHARE MODE}

-- name: find_job
SELECT j.name, j.params_schema, j.settings, j.file, j.hash FROM qflow.job j WHERE j.name = :name

-- name: list_job_names
SELECT j.name FROM qflow.job j ORDER BY j.name

-- name: lock_unheld
-- Of these rows, those that nobody else has locked; until the end of the transaction they are locked for us.
SELECT t.id FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.task_instance t} ON t.id = r.id
{lock}

-- name: lock_unheld_instances
-- The same of instances.
SELECT i.id FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN qflow.workflow_instance i FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.workflow_instance i} ON i.id = r.id
{lock}

-- name: put_back_deadlines
-- Of instances that are there. One that was moved meanwhile, and so not deleted, stays where it is.
INSERT INTO qflow.timer (task_id, purpose, fence, due_at)
SELECT r.task_id, r.purpose, r.fence, r.due_at FROM {rows: task_id bigint, purpose smallint, fence int, due_at instant} r
JOIN qflow.workflow_instance i ON i.id = r.task_id >> 20 WHERE 1 = 1 {ignored: timer.fence}

-- name: list_present
-- Which of these rows there are, locked or not.
SELECT t.id FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id

-- name: list_lost
-- What a dead daemon held, and how often it was lost before since it became ready.
SELECT t.id, t.node, t.kind, t.round, t.fence, t.state, t.attempt, t.code_id, t.started_at,
    (SELECT l.limits FROM qflow.lane l WHERE l.id = t.lane) AS limits,
    (SELECT COUNT(*) FROM qflow.attempt a
        WHERE a.task_id = t.id AND a.reason = {reason.LOST} AND a.finished_at >= t.ready_at) AS losses
FROM qflow.task_instance t WHERE t.owner = :owner AND t.state IN ({task.RESERVED}, {task.RUNNING}) ORDER BY t.id
