-- Commands on instances and schedules. Lock order as everywhere: tasks by id, then timers, the instance last.

-- name: find_instance
SELECT i.id, i.state, i.intent, i.saga_state, i.concurrency_key, d.workflow, i.job FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.id = :id AND i.tenant = :tenant

-- name: lock_instance
SELECT i.id, i.state, i.intent, i.reason, i.error, i.saga_state, i.version_id, i.deadline_at, i.next_ordinal, i.updated_at,
    i.concurrency_key, i.overrides
FROM qflow.workflow_instance i
WHERE i.id = :id {only: postgres,mysql FOR UPDATE}

-- name: load_submission
SELECT id, tenant, workflow, version, job, name, params, 0 AS params_size, overrides, 0 AS overrides_size, business_date,
    priority, run_at, hold, allow_duplicates, idempotency_key, trigger_type, created_at, is_open, instance_id
FROM qflow.submissions WHERE id = :id

-- name: list_intents
SELECT i.id, i.intent, i.next_ordinal FROM qflow.workflow_instance i WHERE i.intent <> 0 ORDER BY i.id

-- name: flag_terminate
-- Committed without touching a task: from here on whoever looks knows; the sweep follows.
UPDATE qflow.workflow_instance SET intent = CASE WHEN intent = {intent.FINALLY} THEN {intent.ABORT} ELSE {intent.TERMINATE} END
WHERE id = :id AND state IN ({instance.RUNNING}, {instance.PAUSED}) AND intent NOT IN ({intent.TERMINATE}, {intent.ABORT})

-- name: lock_named_task
SELECT t.id, t.node, t.state, t.kind, t.map_index, t.label FROM qflow.task_instance t WHERE t.id = :id {only: postgres,mysql FOR UPDATE}

-- name: find_parts_named
-- Items and spawned tasks of a node by their label, or by their index.
SELECT t.id, CASE WHEN t.label = :label THEN 1 ELSE 0 END AS is_of_label FROM qflow.task_instance t
WHERE t.id BETWEEN :first AND :last AND t.node = :node AND (t.label = :label OR t.map_index = :place)
ORDER BY t.id LIMIT {literal: batch}

-- name: insert_task_stop
-- Of a row that is locked: only then is it known whether another one has committed a stop while this one waited for the row.
INSERT INTO qflow.task_stop (task_id, fence) SELECT t.id, t.fence FROM qflow.task_instance t
WHERE t.id = :id AND NOT EXISTS (SELECT 1 FROM qflow.task_stop s WHERE s.task_id = t.id)

-- name: list_task_stops
SELECT s.task_id, s.fence, CASE WHEN t.id IS NULL OR t.state >= {task.SUCCESS} THEN 1 ELSE 0 END AS is_over
FROM qflow.task_stop s LEFT JOIN qflow.task_instance t ON t.id = s.task_id ORDER BY s.task_id

-- name: delete_task_stops
{delete: qflow.task_stop s, task_id bigint, fence int | s.task_id = d.task_id AND s.fence = d.fence}

-- name: forget_task_stops
-- Of an instance whose rows start anew: of those that nobody holds.
DELETE FROM qflow.task_stop WHERE task_id BETWEEN :first AND :last AND NOT EXISTS (SELECT 1 FROM qflow.task_instance t
    WHERE t.id = task_id AND t.state IN ({task.RESERVED}, {task.RUNNING}))

-- name: flag_finally
-- It ends when its sweep finds no open row: ends of single rows must not.
UPDATE qflow.workflow_instance SET intent = {intent.FINALLY}, state = {instance.RUNNING}, open_closers = next_ordinal + 1 WHERE id = :id

-- name: find_finally_rows
-- `waits`: for how many others of them.
SELECT t.id, (SELECT COUNT(*) FROM qflow.workflow_edge e
        JOIN qflow.workflow_node y ON y.version_id = e.version_id AND y.node = e.parent AND y.runs_on_terminate = 1
        JOIN qflow.task_instance p ON p.id = i.id * 1048576 + e.parent AND p.state = {task.CANCELLED}
        WHERE e.version_id = n.version_id AND e.node = n.node) AS waits
FROM qflow.workflow_instance i
JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.runs_on_terminate = 1
JOIN qflow.task_instance t ON t.id = i.id * 1048576 + n.node
WHERE i.id = :id AND i.saga_state = {saga.NONE} AND t.state = {task.CANCELLED} ORDER BY t.id

-- name: find_behind_finally_rows
-- Rows that have ended and stay so. `arrivals`: how many of those before them start anew, and end a second time.
SELECT t.id, COUNT(*) AS arrivals
FROM qflow.workflow_instance i
JOIN qflow.workflow_node y ON y.version_id = i.version_id AND y.runs_on_terminate = 1
JOIN qflow.task_instance p ON p.id = i.id * 1048576 + y.node AND p.state = {task.CANCELLED}
JOIN qflow.workflow_edge e ON e.version_id = y.version_id AND e.parent = y.node
JOIN qflow.workflow_node n ON n.version_id = e.version_id AND n.node = e.node
JOIN qflow.task_instance t ON t.id = i.id * 1048576 + n.node AND t.state >= {task.SUCCESS}
WHERE i.id = :id AND i.saga_state = {saga.NONE} AND NOT (n.runs_on_terminate = 1 AND t.state = {task.CANCELLED})
GROUP BY t.id

-- name: flag_expired
-- While an instance is paused its timeout does not run: resume moves the deadline.
UPDATE qflow.workflow_instance SET intent = {intent.TERMINATE}, reason = {reason.TIMEOUT}
WHERE id = :id AND state = {instance.RUNNING} AND intent NOT IN ({intent.TERMINATE}, {intent.FINALLY}, {intent.ABORT}) AND deadline_at <= :now

-- name: terminate_held_instance
-- An instance that was submitted with hold has no task rows to sweep.
UPDATE qflow.workflow_instance SET state = {instance.TERMINATED}, reason = {reason.TERMINATED}, open_closers = 0, succeeded = 0,
    failed = 0, skipped = 0, finished_at = :now, updated_at = :now, meter = CASE WHEN meter = 1 THEN 2 ELSE meter END
WHERE id = :id AND state = {instance.READY}

-- name: flag_pause
UPDATE qflow.workflow_instance SET state = {instance.PAUSED}, intent = {intent.PAUSE}, paused_by = :paused_by,
    pause_reason = :pause_reason, pause_scope = :pause_scope, updated_at = :now
WHERE id = :id AND state = {instance.RUNNING}
    AND intent NOT IN ({intent.TERMINATE}, {intent.COMPENSATE}, {intent.FINALLY}, {intent.ABORT})

-- name: flag_resume
UPDATE qflow.workflow_instance SET state = {instance.RUNNING}, intent = {intent.RESUME}, paused_by = NULL, pause_reason = NULL,
    pause_scope = 0, deadline_at = :deadline_at, updated_at = :now
WHERE id = :id

-- name: clear_intent
UPDATE qflow.workflow_instance SET intent = 0 WHERE id = :id

-- name: hold_ready_tasks
-- Two comparisons rather than one literal: the claim index would be read through, whatever else stands in it.
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET state = {task.HELD}
WHERE id BETWEEN :first AND :last AND state > {task.PENDING} AND state < {task.HELD}

-- name: free_held_tasks
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET state = {task.READY}
WHERE id BETWEEN :first AND :last AND state = {task.HELD}
    AND node NOT IN (SELECT y.node FROM qflow.paused_node y WHERE y.instance_id = :instance_id)

-- name: count_unheld
SELECT COUNT(*) AS tasks FROM qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)}
WHERE id BETWEEN :first AND :last AND state IN ({task.READY}, {task.RESERVED})

-- name: count_still_held
SELECT COUNT(*) AS tasks FROM qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)}
WHERE id BETWEEN :first AND :last AND state = {task.HELD}
    AND node NOT IN (SELECT y.node FROM qflow.paused_node y WHERE y.instance_id = :instance_id)

-- name: hold_ready_node
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET state = {task.HELD}
WHERE id BETWEEN :first AND :last AND node = :node AND state > {task.PENDING} AND state < {task.HELD}

-- name: free_held_node
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET state = {task.READY}
WHERE id BETWEEN :first AND :last AND node = :node AND state = {task.HELD}

-- name: lock_paused_task
-- Claims that saw it paused have ended when we have it.
SELECT p.is_paused FROM qflow.paused_task p
WHERE p.definition_id = :definition_id AND p.instance_id = :instance_id AND p.task = :task {only: postgres,mysql FOR UPDATE}

-- name: pause_task
INSERT INTO qflow.paused_task (definition_id, instance_id, task, is_paused, paused_by, pause_reason, paused_at)
VALUES (:definition_id, :instance_id, :task, :is_paused, :paused_by, :pause_reason, :now)
{upsert: definition_id, instance_id, task} is_paused = {excluded: is_paused}, paused_by = {excluded: paused_by},
    pause_reason = {excluded: pause_reason}, paused_at = {excluded: paused_at}

-- name: resume_task
DELETE FROM qflow.paused_task WHERE definition_id = :definition_id AND instance_id = :instance_id AND task = :task

-- name: resume_task_everywhere
-- Which instances run it all the same is of no interest any more.
DELETE FROM qflow.paused_task WHERE definition_id = :definition_id AND task = :task AND (instance_id = 0 OR is_paused = 0)

-- name: ask_task_sweep
INSERT INTO qflow.task_sweep (instance_id, node, command_id)
SELECT i.id, n.node, :command_id FROM qflow.workflow_instance i
JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.task = :task WHERE i.id = :instance_id
{upsert: instance_id, node} command_id = {excluded: command_id}

-- name: list_task_sweeps
SELECT s.instance_id, s.node, s.command_id, i.next_ordinal, i.state FROM qflow.task_sweep s
JOIN qflow.workflow_instance i ON i.id = s.instance_id ORDER BY s.instance_id, s.node

-- name: end_task_sweep
DELETE FROM qflow.task_sweep WHERE instance_id = :instance_id AND node = :node AND command_id = :command_id

-- name: list_paused_tasks
SELECT p.definition_id, p.instance_id, p.task, p.is_paused FROM qflow.paused_task p

-- name: list_ended_pauses
SELECT p.definition_id, p.instance_id, p.task FROM qflow.paused_task p
JOIN qflow.workflow_instance i ON i.id = p.instance_id WHERE i.state >= {instance.SUCCESS}

-- name: count_tasks_named
-- In any version of a workflow.
SELECT COUNT(*) AS tasks FROM qflow.workflow_version v JOIN qflow.workflow_node n ON n.version_id = v.id AND n.task = :task
WHERE v.definition_id = :definition_id

-- name: list_task_keys_of
SELECT DISTINCT n.task FROM qflow.workflow_version v JOIN qflow.workflow_node n ON n.version_id = v.id
WHERE v.definition_id = :definition_id ORDER BY n.task

-- name: pause_definition
UPDATE qflow.workflow_definition SET paused_at = :now, paused_by = :paused_by, pause_reason = :pause_reason
WHERE id = :id AND paused_at IS NULL

-- name: resume_definition
UPDATE qflow.workflow_definition SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
WHERE id = :id AND paused_at IS NOT NULL

-- name: list_open_candidates
-- For a command for many instances; what has ended is not read.
SELECT i.id, i.state, COALESCE(d.workflow, i.job) AS workflow, d.id AS definition_id, i.business_date, i.trigger_type, i.pause_scope
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.state < {instance.SUCCESS} AND i.tenant = :tenant AND i.id > :after AND i.id <= :last AND i.created_at >= :since
ORDER BY i.id LIMIT {literal: batch}

-- name: list_candidates
SELECT i.id, i.state, COALESCE(d.workflow, i.job) AS workflow, d.id AS definition_id, i.business_date, i.trigger_type, i.pause_scope
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.tenant = :tenant AND i.id > :after AND i.id <= :last AND i.created_at >= :since
ORDER BY i.id LIMIT {literal: batch}

-- name: list_named_candidates
SELECT i.id, i.state, COALESCE(d.workflow, i.job) AS workflow, d.id AS definition_id, i.business_date, i.trigger_type, i.pause_scope
FROM {rows: id bigint} n
JOIN qflow.workflow_instance i ON i.id = n.id
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.tenant = :tenant AND i.created_at >= :since
ORDER BY i.id

-- name: list_failed_candidates
-- For a command for failures that nobody has handled.
SELECT i.id, i.state, COALESCE(d.workflow, i.job) AS workflow, d.id AS definition_id, i.business_date, i.trigger_type, i.pause_scope
FROM (SELECT DISTINCT y.instance_id FROM qflow.failures y WHERE y.tenant = :tenant AND y.failed_at >= {instant: :since}) f
JOIN qflow.workflow_instance i ON i.id = f.instance_id
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.id > :after AND i.id <= :last
ORDER BY i.id LIMIT {literal: batch}

-- name: list_failures
-- Of one instance: those that nobody has handled. Begins with the range of ids, which reaches the rows themselves.
SELECT f.id, f.fence, f.task, f.map_index, f.label, f.kind, f.error_class FROM qflow.failures f
WHERE f.id BETWEEN :first AND :last AND f.failed_at >= {instant: :since} ORDER BY f.id

-- name: list_task_names
-- Of the rows of an instance: which of them a name that fits none may have meant.
SELECT t.id, COALESCE(n.task, i.job) AS task, t.map_index, t.label, {words: kind t.kind} AS kind FROM qflow.task_instance t
JOIN qflow.workflow_instance i ON i.id = :instance_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE t.id BETWEEN :first AND :last ORDER BY t.id

-- name: handle_failures
INSERT INTO qflow.failure (task_id, fence, handled_at, handled_by, note)
SELECT r.task_id, r.fence, :now, :handled_by, :note FROM {rows: task_id bigint, fence int} r WHERE 1 = 1
{upsert: task_id, fence} handled_at = {excluded: handled_at}, handled_by = {excluded: handled_by}, note = {excluded: note}

-- name: largest_instance
SELECT MAX(i.id) AS id FROM qflow.workflow_instance i

-- name: load_bulk
SELECT progress FROM qflow.bulk_command WHERE id = :id

-- name: save_bulk
INSERT INTO qflow.bulk_command (id, progress) VALUES (:id, :progress)
{upsert: id} progress = {excluded: progress}

-- name: delete_bulk
DELETE FROM qflow.bulk_command WHERE id = :id

-- name: mark_batch
UPDATE qflow.commands SET is_batch = 1 WHERE id = :id

-- name: note_command
-- How far a command for many instances has come; it stays open.
UPDATE qflow.commands SET result = :result WHERE id = :id AND is_open = 1

-- name: cancel_tasks
-- All but those that are held, or wait for an instance: these end when it has. The key is forced as in
-- all sweeps: whatever the statistics say, a part reads its own range.
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET state = {task.CANCELLED}, reason = {reason.TERMINATED}, fence = fence + 1, owner = NULL,
    finished_at = :now
WHERE id BETWEEN :first AND :last AND state IN ({task.PENDING}, {task.READY}, {task.HELD})
    AND (kind NOT IN ({kind.CHILD}, {kind.COMPENSATION}) OR NOT EXISTS (
        SELECT 1 FROM qflow.child c WHERE c.task_id = task_instance.id AND c.is_open = 1))

-- name: delete_instance_timers
DELETE FROM qflow.timer WHERE task_id BETWEEN :first AND :last

-- name: count_open_tasks
SELECT COUNT(*) AS open_tasks FROM qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} WHERE id BETWEEN :first AND :last AND state < {task.SUCCESS}

-- name: lock_tasks
-- All rows of an instance, first to last: every finish of one of them is now over or waits.
SELECT t.id, t.node, t.kind, t.map_index, t.label, t.round, t.state, t.reason, t.fence, t.attempt, t.need
FROM qflow.task_instance t WHERE t.id BETWEEN :first AND :last ORDER BY t.id
{only: postgres,mysql FOR UPDATE}

-- name: find_priority
SELECT i.priority FROM qflow.workflow_instance i WHERE i.id = :id

-- name: find_most_urgent
SELECT MIN(t.priority) AS priority FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
WHERE t.id BETWEEN :first AND :last AND t.state >= {task.PENDING} AND t.state < {task.RESERVED}

-- name: set_priority
UPDATE qflow.workflow_instance SET priority = :priority WHERE id = :id AND state < {instance.SUCCESS}

-- name: shift_priorities
-- Of rows that nobody holds; stored negated. Two comparisons rather than a list of states, as in hold_ready_tasks.
UPDATE qflow.task_instance {only: mysql FORCE INDEX (PRIMARY)} SET priority = CASE WHEN priority - :more > :most THEN :most
    WHEN priority - :more < -:most THEN -:most ELSE priority - :more END
WHERE id BETWEEN :first AND :last AND state >= {task.PENDING} AND state < {task.RESERVED}

-- name: list_manual_retries
-- Rows of an instance that have failed and wait for a person. A deferral or `run_at` may name the same instant.
SELECT t.id FROM qflow.timer m JOIN qflow.task_instance t ON t.id = m.task_id AND t.fence = m.fence AND t.reason <> 0
WHERE m.task_id BETWEEN :first AND :last AND m.purpose = 0 AND m.due_at = {forever} ORDER BY t.id

-- name: lock_task
SELECT t.id, t.state, t.fence, t.need, t.open_parents, CASE WHEN t.done_fence IS NOT NULL
    OR EXISTS (SELECT 1 FROM qflow.fan_out f WHERE f.task_id = t.id) THEN 1 ELSE 0 END AS is_expanded
FROM qflow.task_instance t WHERE t.id = :id {only: postgres,mysql FOR UPDATE}

-- name: copy_attempts
-- Before a row starts anew: its last run, where no attempt of that fence has been written. A swept row has raised its fence.
-- One that waits for what it spawned has no end yet.
INSERT INTO qflow.attempt (task_id, fence, attempt, state, reason, started_at, finished_at, code_id, daemon_id, output)
SELECT t.id, t.done_fence, t.attempt, t.state, t.reason, t.started_at, t.finished_at, t.code_id, t.owner, t.output
FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id
WHERE t.done_fence = t.fence - 1 AND t.started_at IS NOT NULL AND t.finished_at IS NOT NULL {ignored: attempt.state}

-- name: newest_round
SELECT MAX(t.round) AS round FROM qflow.task_instance t WHERE t.id BETWEEN :first AND :last

-- name: restart_tasks
{update: qflow.task_instance t, id bigint, state smallint, open_parents int, need int, bad_parents int, ready_at instant,
    finished_at instant | t.id = d.id}
state = d.state, open_parents = d.open_parents, need = d.need, bad_parents = d.bad_parents, ready_at = d.ready_at,
finished_at = d.finished_at, started_at = NULL, fence = t.fence + 1, round = :round, done_fence = NULL, owner = NULL, attempt = 0, crashes = 0,
solo = 0, reason = 0, code_id = NULL, output = NULL

-- name: recount_tasks
-- Of rows that stay as they are, while rows before them start anew.
{update: qflow.task_instance t, id bigint, open_parents int, need int, bad_parents int | t.id = d.id}
open_parents = d.open_parents, need = d.need, bad_parents = d.bad_parents

-- name: skip_tasks
-- The attempt that says who and why has the fence that the row had.
{update: qflow.task_instance t, id bigint | t.id = d.id}
state = {task.SKIPPED}, reason = {reason.MANUAL}, done_fence = t.fence, fence = t.fence + 1, owner = NULL, started_at = NULL,
finished_at = :now, code_id = NULL, output = NULL

-- name: set_overrides
UPDATE qflow.workflow_instance SET overrides = :overrides WHERE id = :id

-- name: delete_checkpoints
{delete: qflow.checkpoint c, task_id bigint | c.task_id = d.task_id}

-- name: delete_large_values
{delete: qflow.large_value v, task_id bigint | v.task_id = d.task_id}

-- name: delete_progress
{delete: qflow.task_progress p, task_id bigint | p.task_id = d.task_id}

-- name: delete_tasks
-- Parts of a node that are made anew.
{delete: qflow.task_instance t, id bigint | t.id = d.id}

-- name: delete_timers_of
{delete: qflow.timer m, task_id bigint | m.task_id = d.task_id}

-- name: delete_deferrals
{delete: qflow.deferral f, task_id bigint | f.task_id = d.task_id}

-- name: reopen_instance
UPDATE qflow.workflow_instance SET
    first_success_at = CASE WHEN state = {instance.SUCCESS} THEN COALESCE(first_success_at, finished_at) ELSE first_success_at END,
    updated_at = CASE WHEN state IN ({instance.RUNNING}, {instance.PAUSED}) THEN updated_at ELSE :now END,
    state = CASE WHEN state = {instance.PAUSED} THEN state ELSE {instance.RUNNING} END, reason = 0, error = NULL, succeeded = NULL, failed = NULL, skipped = NULL,
    open_closers = :open_closers, finished_at = NULL, deadline_at = :deadline_at,
    meter = (SELECT 1 FROM qflow.tenant x WHERE x.name = workflow_instance.tenant)
WHERE id = :id
