-- READY rows of lanes that nobody claims: tasks that start instances (the pool ''), and that are about to wait ('(wait)').

-- name: list_unclaimed_lanes
-- Those in which something stands; of each, one row of the claim index is read. An EXISTS may become a join with all that is READY.
SELECT l.id FROM qflow.lane l
WHERE l.pool = :pool AND (SELECT MIN(t.priority) FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)}
    WHERE t.state = {task.READY} AND t.lane = l.id) IS NOT NULL
ORDER BY l.id

-- name: list_unclaimed
-- Rows of one lane behind a place, in the order of the claim index: however many stand there, a batch reads its own alone.
-- `may_begin`: neither their instance nor their task is paused or about to end; by a subselect each, which no plan makes a join.
-- `depth`: of the instance, below the first.
SELECT t.id, t.node, t.fence, t.priority, t.attempt, t.crashes, t.solo, t.kind, t.map_index, t.round, l.id AS lane, l.tenant, l.job,
    COALESCE((SELECT 1 FROM qflow.workflow_instance i WHERE i.id = t.id >> 20
        AND i.state = {instance.RUNNING} AND i.intent NOT IN ({intent.TERMINATE}, {intent.PAUSE}, {intent.ABORT})
        AND NOT EXISTS (SELECT 1 FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node)), 0) AS may_begin,
    COALESCE((SELECT MAX(c.depth) FROM qflow.child c WHERE c.instance_id = t.id >> 20), 0) AS depth
FROM (SELECT r.id, r.node, r.fence, r.priority, r.attempt, r.crashes, r.solo, r.kind, r.map_index, r.round, r.lane
    FROM qflow.task_instance r {only: mysql FORCE INDEX (task_instance_claim)}
    WHERE r.state = {task.READY} AND r.lane = :lane
        AND {only: mysql r.priority >= :after_priority AND (r.priority > :after_priority OR r.id > :after_id)}{only: postgres,sqlite (r.priority, r.id) > (:after_priority, :after_id)}
    ORDER BY r.priority, r.id LIMIT {literal: batch}) t
{only: mysql STRAIGHT_JOIN}{only: sqlite CROSS JOIN}{only: postgres JOIN} qflow.lane l ON l.id = t.lane
ORDER BY t.priority, t.id
