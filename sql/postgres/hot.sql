-- The hot path on PostgreSQL.

-- name: list_heads
-- A skip scan of the claim index: one step per lane, however many rows are ready.
WITH RECURSIVE head AS (
    (SELECT lane, priority FROM qflow.task_instance WHERE state = {task.READY} ORDER BY lane, priority LIMIT 1)
    UNION ALL
    SELECT n.lane, n.priority FROM head h CROSS JOIN LATERAL (
        SELECT lane, priority FROM qflow.task_instance
        WHERE state = {task.READY} AND lane > h.lane ORDER BY lane, priority LIMIT 1) n
)
SELECT h.lane, h.priority, l.is_paused,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.workflow_instance i WHERE i.state = {instance.PAUSED}) THEN 1 ELSE 0 END AS has_pauses,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.paused_task p WHERE p.is_paused = 1) THEN 1 ELSE 0 END AS has_paused_tasks
FROM head h JOIN qflow.lane l ON l.id = h.lane

-- name: claim_tasks
-- What was claimed stays in the index until it is vacuumed: a claim that continues after the last one does not pass it again.
-- ARRAY(…) rather than a join: the join reads small tables whole, and a plain IN may claim more than the limit.
UPDATE qflow.task_instance SET state = {task.RESERVED}, owner = :owner, fence = fence + 1
WHERE id = ANY(ARRAY(
    SELECT id FROM qflow.task_instance WHERE state = {task.READY} AND lane = :lane
        AND (priority, id) > (:after_priority, :after_id)
    ORDER BY priority, id LIMIT {literal: batch} FOR NO KEY UPDATE SKIP LOCKED))
RETURNING id, node, fence, priority, attempt, crashes, solo, kind, map_index, round

-- name: start_tasks
UPDATE qflow.task_instance t SET state = {task.RUNNING}, started_at = d.started_at
FROM {rows: id bigint, fence int, started_at instant} d WHERE t.id = d.id AND t.fence = d.fence

-- name: finish_tasks
UPDATE qflow.task_instance t SET state = d.state, reason = d.reason, attempt = d.attempt, code_id = d.code_id,
    started_at = d.started_at, finished_at = :now, output = d.output, done_fence = t.fence, fence = t.fence + 1
FROM {rows: id bigint, fence int, state smallint, reason smallint, attempt smallint, code_id int, started_at microseconds, output text} d
WHERE t.id = d.id AND t.fence = d.fence

-- name: advance_tasks
UPDATE qflow.task_instance t SET
    state = CASE WHEN t.state <> {task.PENDING} OR t.need <= 0 THEN t.state WHEN t.need <= d.gain THEN {task.READY}
        WHEN t.open_parents > d.arrivals THEN t.state WHEN t.bad_parents + d.bad > 0 THEN {task.UPSTREAM_FAILED}
        ELSE {task.SKIPPED} END,
    ready_at = CASE WHEN t.state = {task.PENDING} AND t.need > 0 AND t.need <= d.gain THEN :now ELSE t.ready_at END,
    finished_at = CASE WHEN t.state = {task.PENDING} AND t.need > d.gain AND t.open_parents <= d.arrivals THEN :now
        ELSE t.finished_at END,
    open_parents = t.open_parents - d.arrivals, need = t.need - d.gain, bad_parents = t.bad_parents + d.bad
FROM {rows: id bigint, arrivals int, gain int, bad int} d WHERE t.id = d.id

-- name: advance_fans
-- Children of one parent only, which succeeded: thousands of them are named by one list.
UPDATE qflow.task_instance t SET
    state = CASE WHEN t.state = {task.PENDING} AND t.need = 1 THEN {task.READY} ELSE t.state END,
    ready_at = CASE WHEN t.state = {task.PENDING} AND t.need = 1 THEN :now ELSE t.ready_at END,
    open_parents = t.open_parents - 1, need = t.need - 1
FROM {rows: first_id bigint, ordinals numbers} d CROSS JOIN {each: d.ordinals} AS n WHERE t.id = d.first_id + n.value

-- name: release_tasks
UPDATE qflow.task_instance t SET state = {task.READY}, owner = NULL, fence = t.fence + 1, started_at = NULL,
    solo = d.solo, crashes = t.crashes + d.crashed
FROM {rows: id bigint, fence int, solo smallint, crashed smallint} d WHERE t.id = d.id AND t.fence = d.fence

-- name: promote_tasks
UPDATE qflow.task_instance t SET
    ready_at = CASE WHEN t.state = {task.PENDING} AND t.need <= 0 THEN :now ELSE t.ready_at END,
    state = CASE WHEN t.state = {task.PENDING} AND t.need <= 0 THEN {task.READY} ELSE t.state END
FROM {rows: id bigint, fence int} d WHERE t.id = d.id AND t.fence = d.fence
