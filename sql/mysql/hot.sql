-- The hot path on MySQL and MariaDB. The row set drives every join, and the primary key is forced: a table of a few rows
-- would be scanned, and a scan waits on strangers' rows (two such finishes are a deadlock). SET is evaluated left to right:
-- state before the counters it looks at.

-- name: list_heads
SELECT h.lane, h.priority, l.is_paused,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.workflow_instance i WHERE i.state = {instance.PAUSED}) THEN 1 ELSE 0 END AS has_pauses,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.paused_task p WHERE p.is_paused = 1) THEN 1 ELSE 0 END AS has_paused_tasks
FROM (SELECT lane, MIN(priority) AS priority FROM qflow.task_instance FORCE INDEX (task_instance_claim)
    WHERE state = {task.READY} GROUP BY state, lane) h STRAIGHT_JOIN qflow.lane l ON l.id = h.lane

-- name: claim_tasks
-- The index's order is the ORDER BY, so that only the claimed rows are locked.
SELECT id, node, fence + 1 AS fence, priority, attempt, crashes, solo, kind, map_index, round
FROM qflow.task_instance FORCE INDEX (task_instance_claim)
WHERE state = {task.READY} AND lane = :lane ORDER BY priority, id LIMIT {literal: batch} FOR UPDATE SKIP LOCKED
-- then
UPDATE {rows: id bigint} d STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id
SET t.state = {task.RESERVED}, t.owner = :owner, t.fence = t.fence + 1

-- name: start_tasks
UPDATE {rows: id bigint, fence int, started_at instant} d
STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id AND t.fence = d.fence
SET t.state = {task.RUNNING}, t.started_at = d.started_at

-- name: finish_tasks
UPDATE {rows: id bigint, fence int, state smallint, reason smallint, attempt smallint, code_id int, started_at microseconds, output text} d
STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id AND t.fence = d.fence
SET t.state = d.state, t.reason = d.reason, t.attempt = d.attempt, t.code_id = d.code_id, t.started_at = '1970-01-01' + INTERVAL d.started_at MICROSECOND,
    t.finished_at = :now, t.output = d.output, t.done_fence = t.fence, t.fence = t.fence + 1

-- name: advance_tasks
UPDATE {rows: id bigint, arrivals int, gain int, bad int} d STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id
SET t.ready_at = CASE WHEN t.state = {task.PENDING} AND t.need > 0 AND t.need <= d.gain THEN :now ELSE t.ready_at END,
    t.finished_at = CASE WHEN t.state = {task.PENDING} AND t.need > d.gain AND t.open_parents <= d.arrivals THEN :now
        ELSE t.finished_at END,
    t.state = CASE WHEN t.state <> {task.PENDING} OR t.need <= 0 THEN t.state WHEN t.need <= d.gain THEN {task.READY}
        WHEN t.open_parents > d.arrivals THEN t.state WHEN t.bad_parents + d.bad > 0 THEN {task.UPSTREAM_FAILED}
        ELSE {task.SKIPPED} END,
    t.open_parents = t.open_parents - d.arrivals, t.need = t.need - d.gain, t.bad_parents = t.bad_parents + d.bad

-- name: advance_fans
-- Children of one parent only, which succeeded: thousands of them are named by one list.
UPDATE {rows: first_id bigint, ordinals numbers} d STRAIGHT_JOIN {each: d.ordinals} AS n
STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.first_id + n.value
SET t.ready_at = CASE WHEN t.state = {task.PENDING} AND t.need = 1 THEN :now ELSE t.ready_at END,
    t.state = CASE WHEN t.state = {task.PENDING} AND t.need = 1 THEN {task.READY} ELSE t.state END,
    t.open_parents = t.open_parents - 1, t.need = t.need - 1

-- name: release_tasks
UPDATE {rows: id bigint, fence int, solo smallint, crashed smallint} d
STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id AND t.fence = d.fence
SET t.state = {task.READY}, t.owner = NULL, t.fence = t.fence + 1, t.started_at = NULL, t.solo = d.solo,
    t.crashes = t.crashes + d.crashed

-- name: promote_tasks
UPDATE {rows: id bigint, fence int} d STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY) ON t.id = d.id AND t.fence = d.fence
SET t.ready_at = CASE WHEN t.state = {task.PENDING} AND t.need <= 0 THEN :now ELSE t.ready_at END,
    t.state = CASE WHEN t.state = {task.PENDING} AND t.need <= 0 THEN {task.READY} ELSE t.state END
