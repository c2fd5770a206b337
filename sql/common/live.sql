-- What the live stream asks once a second, for all who look at the same thing together.

-- name: watch_instance
SELECT id, workflow, name, state, reason, saga_state, progress, wait_reason, error, started_at, finished_at, updated_at, duration_s
FROM qflow.instances WHERE id = :id AND tenant = :tenant

-- name: watch_nodes
-- A row that changes hands or ends has a greater fence, so no change leaves all sums as they were.
SELECT t.node, {words: task t.state} AS state, COUNT(*) AS tasks, SUM(t.fence) AS fences
FROM qflow.workflow_instance i
JOIN qflow.task_instance t ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.id = :id AND i.tenant = :tenant GROUP BY t.node, t.state ORDER BY t.node, t.state

-- name: watch_rows
SELECT t.id, t.state, t.fence FROM qflow.workflow_instance i
JOIN qflow.task_instance t ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.id = :id AND i.tenant = :tenant

-- name: watch_log
SELECT * FROM qflow.logs
WHERE instance_id = :instance_id AND task_id = :task_id AND id > :after AND tenant = :tenant ORDER BY id LIMIT {literal: batch}

-- name: watch_last_line
-- Where a look begins that wants only what comes.
SELECT COALESCE(MAX(g.id), 0) AS id FROM qflow.log_line g
JOIN qflow.workflow_instance i ON i.id = g.task_id >> 20
WHERE g.task_id = :task_id AND i.tenant = :tenant

-- name: watch_command
SELECT id, action, state, result, error, answered_at FROM qflow.commands WHERE id = :id AND tenant = :tenant
