-- How long runs and tasks of a workflow have taken. Where COALESCE stands around a tenant, the index that begins with it
-- would be the wrong one.

-- name: list_run_times
SELECT i.id, i.version_id, v.hash, {words: instance i.state} AS state, {instant: i.created_at} AS created_at,
    {instant: i.started_at} AS started_at, {instant: i.finished_at} AS finished_at, {instant: i.fire_at} AS fire_at
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
WHERE i.definition_id = :definition_id AND {only: mysql,sqlite COALESCE(i.tenant, '')}{only: postgres i.tenant} = :tenant
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: sum_node_times
-- Of whole instances: a map takes from its first item's start to its last one's end.
SELECT i.id AS instance_id, t.node, MIN(t.started_at) AS started_at, MAX(t.finished_at) AS finished_at,
    COUNT(CASE WHEN t.state = {task.FAILED} THEN 1 END) AS failed,
    SUM(CASE WHEN t.attempt > 1 THEN t.attempt - 1 ELSE 0 END) AS retries
FROM {rows: id bigint} r
JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE COALESCE(i.tenant, '') = :tenant AND t.kind <> {kind.COMPENSATION} AND t.started_at IS NOT NULL
GROUP BY i.id, t.node

-- name: list_run_times_of_all
-- Of all workflows and single jobs. `lowest`: the first id that is meant.
SELECT i.id, d.workflow, i.job, i.version_id, v.hash, {words: instance i.state} AS state, {instant: i.created_at} AS created_at,
    {instant: i.started_at} AS started_at, {instant: i.finished_at} AS finished_at
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.tenant = :tenant AND i.id >= :lowest ORDER BY i.id DESC LIMIT {literal: batch}
