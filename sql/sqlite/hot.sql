-- The hot path on SQLite: each row of a row set by itself, through one prepared statement.

-- name: list_heads
-- A skip scan of the claim index: one step per lane, however many rows are ready.
WITH RECURSIVE head(lane) AS (
    SELECT MIN(lane) FROM qflow.task_instance WHERE state = {task.READY}
    UNION ALL
    SELECT (SELECT MIN(lane) FROM qflow.task_instance WHERE state = {task.READY} AND lane > head.lane) FROM head
    WHERE head.lane IS NOT NULL
)
SELECT head.lane, (SELECT MIN(priority) FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = head.lane) AS priority,
    l.is_paused,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.workflow_instance i WHERE i.state = {instance.PAUSED}) THEN 1 ELSE 0 END AS has_pauses,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.paused_task p WHERE p.is_paused = 1) THEN 1 ELSE 0 END AS has_paused_tasks
FROM head JOIN qflow.lane l ON l.id = head.lane

-- name: claim_tasks
-- Nobody else writes meanwhile, so both parts find the same rows. RETURNING would build a table of them.
SELECT id, node, fence + 1 AS fence, priority, attempt, crashes, solo, kind, map_index, round FROM qflow.task_instance
WHERE state = {task.READY} AND lane = :lane ORDER BY priority, id LIMIT {literal: batch}
-- then
UPDATE qflow.task_instance SET state = {task.RESERVED}, owner = :owner, fence = fence + 1
WHERE id IN (
    SELECT id FROM qflow.task_instance WHERE state = {task.READY} AND lane = :lane
    ORDER BY priority, id LIMIT {literal: batch})

-- name: start_tasks
{row: id bigint, fence int, started_at instant}
UPDATE qflow.task_instance SET state = {task.RUNNING}, started_at = :started_at WHERE id = :id AND fence = :fence

-- name: finish_tasks
{row: id bigint, fence int, state smallint, reason smallint, attempt smallint, code_id int, started_at microseconds, output text}
UPDATE qflow.task_instance SET state = :state, reason = :reason, attempt = :attempt, code_id = :code_id,
    started_at = :started_at, finished_at = :now, output = :output, done_fence = fence, fence = fence + 1
WHERE id = :id AND fence = :fence

-- name: advance_tasks
{row: id bigint, arrivals int, gain int, bad int}
UPDATE qflow.task_instance SET
    state = CASE WHEN state <> {task.PENDING} OR need <= 0 THEN state WHEN need <= :gain THEN {task.READY}
        WHEN open_parents > :arrivals THEN state WHEN bad_parents + :bad > 0 THEN {task.UPSTREAM_FAILED}
        ELSE {task.SKIPPED} END,
    ready_at = CASE WHEN state = {task.PENDING} AND need > 0 AND need <= :gain THEN :now ELSE ready_at END,
    finished_at = CASE WHEN state = {task.PENDING} AND need > :gain AND open_parents <= :arrivals THEN :now
        ELSE finished_at END,
    open_parents = open_parents - :arrivals, need = need - :gain, bad_parents = bad_parents + :bad
WHERE id = :id

-- name: advance_fans
-- Children of one parent only, which succeeded: thousands of them are named by one list.
{row: first_id bigint, ordinals numbers}
UPDATE qflow.task_instance SET
    state = CASE WHEN state = {task.PENDING} AND need = 1 THEN {task.READY} ELSE state END,
    ready_at = CASE WHEN state = {task.PENDING} AND need = 1 THEN :now ELSE ready_at END,
    open_parents = open_parents - 1, need = need - 1
WHERE id IN (SELECT :first_id + n.value FROM {each: :ordinals} AS n)

-- name: release_tasks
{row: id bigint, fence int, solo smallint, crashed smallint}
UPDATE qflow.task_instance SET state = {task.READY}, owner = NULL, fence = fence + 1, started_at = NULL,
    solo = :solo, crashes = crashes + :crashed
WHERE id = :id AND fence = :fence

-- name: promote_tasks
{row: id bigint, fence int}
UPDATE qflow.task_instance SET
    ready_at = CASE WHEN state = {task.PENDING} AND need <= 0 THEN :now ELSE ready_at END,
    state = CASE WHEN state = {task.PENDING} AND need <= 0 THEN {task.READY} ELSE state END
WHERE id = :id AND fence = :fence
