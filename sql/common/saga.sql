-- Compensations: rows that undo what tasks of their instance did. They are added when all else of it has ended.

-- name: list_sagas
-- Which of these instances are undone when they fail.
SELECT i.id FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.workflow_version v ON v.id = i.version_id WHERE v.saga = 1

-- name: flag_compensate
-- The instance stays open; `reason` and `error` say what it came to, and are kept.
{update: qflow.workflow_instance i, id bigint, reason smallint, error text | i.id = d.id}
intent = {intent.COMPENSATE}, saga_state = {saga.COMPENSATING}, reason = d.reason, error = d.error, open_closers = 0,
deadline_at = NULL, updated_at = :now

-- name: list_undone
-- All rows of an instance but compensations. `has_started`: user code began, or may have: its worker or daemon was lost.
-- One that put itself off leaves no attempt. The head of a map runs no code.
-- `has_saga`: it has started an instance that can be undone as a whole, and is not.
SELECT t.id, t.node, t.map_index, t.label, t.state, t.lane, t.priority,
    CASE WHEN t.kind = {kind.HEAD} THEN 0 WHEN t.started_at IS NOT NULL OR t.crashes > 0 OR t.solo > 0
        OR EXISTS (SELECT 1 FROM qflow.attempt a WHERE a.task_id = t.id AND a.started_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM qflow.deferral f WHERE f.task_id = t.id)
        OR t.kind = {kind.CHILD} AND EXISTS (SELECT 1 FROM qflow.child c WHERE c.task_id = t.id) THEN 1 ELSE 0 END AS has_started,
    CASE WHEN t.kind = {kind.CHILD} AND EXISTS (SELECT 1 FROM qflow.child c
        JOIN qflow.workflow_instance i ON i.id = c.instance_id AND i.started_at IS NOT NULL AND i.saga_state <> {saga.COMPENSATED}
        JOIN qflow.workflow_version v ON v.id = i.version_id AND v.saga = 1
        WHERE c.task_id = t.id) THEN 1 ELSE 0 END AS has_saga,
    (SELECT l.job FROM qflow.lane l WHERE l.id = t.lane) AS job
FROM qflow.task_instance t WHERE t.id BETWEEN :first AND :last AND t.kind <> {kind.COMPENSATION} ORDER BY t.id

-- name: insert_compensating_tasks
INSERT INTO qflow.task_instance (id, node, map_index, label, kind, state, lane, priority, open_parents, need, ready_at)
SELECT r.id, r.node, r.map_index, r.label, {kind.COMPENSATION}, r.state, r.lane, r.priority, r.open_parents, r.need, r.ready_at
FROM {rows: id bigint, node int, map_index int, label text, state smallint, lane int, priority smallint, open_parents int, need int,
    ready_at instant} r WHERE 1 = 1
{ignored: task_instance.node}

-- name: insert_compensations
INSERT INTO qflow.compensation (task_id, target) SELECT r.task_id, r.target FROM {rows: task_id bigint, target bigint} r
WHERE 1 = 1 {ignored: compensation.target}

-- name: insert_edges
INSERT INTO qflow.instance_edge (parent, child) SELECT r.parent, r.child FROM {rows: parent bigint, child bigint} r
WHERE 1 = 1 {ignored: instance_edge.child}

-- name: begin_compensating
UPDATE qflow.workflow_instance SET intent = 0, open_closers = :open_closers, next_ordinal = next_ordinal + :added,
    updated_at = :now
WHERE id = :id

-- name: reopen_to_compensate
-- By a command. `reason` and `error` still say what it came to.
UPDATE qflow.workflow_instance SET
    first_success_at = CASE WHEN state = {instance.SUCCESS} THEN COALESCE(first_success_at, finished_at) ELSE first_success_at END,
    state = {instance.RUNNING}, intent = {intent.COMPENSATE}, saga_state = {saga.COMPENSATING},
    open_closers = 0, succeeded = NULL, failed = NULL, skipped = NULL, finished_at = NULL, deadline_at = NULL, updated_at = :now,
    meter = (SELECT 1 FROM qflow.tenant x WHERE x.name = workflow_instance.tenant)
WHERE id = :id

-- name: list_compensating
SELECT t.id, t.state, CASE WHEN c.task_id IS NULL THEN 1 ELSE 0 END AS is_link FROM qflow.task_instance t
LEFT JOIN qflow.compensation c ON c.task_id = t.id
WHERE t.id BETWEEN :first AND :last AND t.kind = {kind.COMPENSATION} ORDER BY t.id

-- name: list_edges
SELECT e.parent, e.child FROM qflow.instance_edge e WHERE e.parent BETWEEN :first AND :last

-- name: list_children
SELECT e.parent, e.child FROM {rows: id bigint} r JOIN qflow.instance_edge e ON e.parent = r.id

-- name: load_undone
-- What each of these compensations undoes. `params`: what a spawned task was given.
SELECT r.id AS task_id, t.id, t.node, t.map_index, t.round, t.output, l.task_id AS large_id, p.params FROM {rows: id bigint} r
JOIN qflow.compensation c ON c.task_id = r.id JOIN qflow.task_instance t ON t.id = c.target
LEFT JOIN qflow.task_input p ON p.task_id = t.id
LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0
