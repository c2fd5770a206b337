-- When the tasks of an instance ran, for the HTTP API: one pass over its key range, grouped by node; no row of it is read twice.

-- name: show_timeline_head
SELECT i.id, i.state, i.version_id, i.definition_id, i.job, i.saga_state, COALESCE(i.started_at, i.created_at) AS started_at, i.finished_at
FROM qflow.workflow_instance i WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: list_timeline_nodes
SELECT t.node, MAX(CASE WHEN t.id = :first + t.node THEN t.kind END) AS kind, MAX(CASE WHEN t.id = :first + t.node THEN t.state END) AS state,
    COUNT(CASE WHEN t.kind <> {kind.HEAD} THEN 1 END) AS tasks, MIN(t.ready_at) AS ready_at, MIN(t.started_at) AS started_at,
    MAX(t.finished_at) AS finished_at, COUNT(CASE WHEN t.state IN ({task.RESERVED}, {task.RUNNING}) THEN 1 END) AS running,
    COUNT(CASE WHEN t.state < {task.SUCCESS} THEN 1 END) AS unended
FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant AND t.kind <> {kind.COMPENSATION} GROUP BY t.node ORDER BY t.node

-- name: list_timeline_bins
-- How many rows of a node began in one bin of `width` seconds and ended in another; none where they run.
SELECT x.node, x.first_bin, x.last_bin, COUNT(*) AS tasks FROM (
    SELECT t.node, {only: sqlite CAST({seconds: :from_at, t.started_at} / :width AS INTEGER)}
        {only: postgres,mysql FLOOR({seconds: :from_at, t.started_at} / :width)} AS first_bin,
        {only: sqlite CAST({seconds: :from_at, t.finished_at} / :width AS INTEGER)}
        {only: postgres,mysql FLOOR({seconds: :from_at, t.finished_at} / :width)} AS last_bin
    FROM qflow.workflow_instance i JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
    WHERE i.id = :instance_id AND i.tenant = :tenant AND t.kind NOT IN ({kind.COMPENSATION}, {kind.HEAD}) AND t.started_at IS NOT NULL) x
GROUP BY x.node, x.first_bin, x.last_bin

-- name: list_timeline_names
SELECT n.node, n.task, n.pool FROM qflow.workflow_definition d
JOIN qflow.workflow_version v ON v.definition_id = d.id
JOIN qflow.workflow_node n ON n.version_id = v.id
WHERE v.id = :version_id AND d.tenant = :tenant ORDER BY n.node

-- name: list_timeline_edges
SELECT e.node, e.parent FROM qflow.workflow_definition d
JOIN qflow.workflow_version v ON v.definition_id = d.id
JOIN qflow.workflow_edge e ON e.version_id = v.id
WHERE v.id = :version_id AND d.tenant = :tenant ORDER BY e.node, e.parent

-- name: list_usual_instances
-- The newest good ones of a version, among the newest of its workflow.
SELECT w.id FROM (SELECT i.id, i.version_id, i.state FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_definition)}
        {only: sqlite INDEXED BY workflow_instance_definition}
    WHERE i.definition_id = :definition_id AND i.tenant = :tenant AND i.id < :before ORDER BY i.id DESC LIMIT 200) w
WHERE w.version_id = :version_id AND w.state = {instance.SUCCESS} ORDER BY w.id DESC LIMIT {literal: batch}

-- name: list_usual_times
SELECT n.node, {seconds: COALESCE(t.started_at, t.ready_at), t.finished_at} AS duration_s
FROM {rows: id bigint} r
JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.workflow_node n ON n.version_id = i.version_id
JOIN qflow.task_instance t ON t.id = i.id * 1048576 + n.node
WHERE i.tenant = :tenant AND t.state = {task.SUCCESS}

-- name: list_undo_rows
SELECT t.id, t.node, t.lane, t.state, c.target FROM qflow.workflow_instance i
JOIN qflow.compensation c ON c.task_id BETWEEN :first AND :last
JOIN qflow.task_instance t ON t.id = c.task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND c.task_id > :after ORDER BY c.task_id LIMIT {literal: batch}
