-- Failures for the HTTP API: as the views failures and handled_failures tell them, but ids first, so that a page of a hundred
-- thousand is found in a moment.

-- shared: is_meant
i.tenant = :tenant
    AND (:workflow = '%' OR EXISTS (SELECT 1 FROM qflow.workflow_definition w WHERE w.id = i.definition_id
        AND LOWER(w.workflow) LIKE LOWER(:workflow) ESCAPE '!'))
    AND (:task = '' OR :task = COALESCE((SELECT m.task FROM qflow.workflow_node m WHERE m.version_id = i.version_id AND m.node = t.node), i.job))
    AND (:error_class = '%' OR LOWER({error_class: t.reason a.error}) LIKE LOWER(:error_class) ESCAPE '!')
    AND COALESCE(t.finished_at, a.finished_at) >= :since

-- shared: ended
FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)} {only: sqlite INDEXED BY task_instance_failed}
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
LEFT JOIN qflow.attempt a ON a.task_id = t.id AND a.fence = t.done_fence
WHERE t.state = {task.FAILED} AND t.id < :before AND t.id >= :lowest AND {is_meant}
    AND NOT EXISTS (SELECT 1 FROM qflow.failure h WHERE h.task_id = t.id AND h.fence = t.done_fence AND h.handled_at IS NOT NULL)
    AND (t.kind <> {kind.HEAD} OR NOT EXISTS (SELECT 1 FROM qflow.fan_out f WHERE f.task_id = t.id))
    AND NOT EXISTS (SELECT 1 FROM qflow.spawner s WHERE s.task_id = t.id AND s.bad_tasks > 0)
ORDER BY t.id DESC LIMIT {literal: batch}

-- shared: waiting
-- They wait for a person.
FROM qflow.timer m {only: mysql FORCE INDEX (timer_due)} {only: sqlite INDEXED BY timer_due}
JOIN qflow.task_instance t ON t.id = m.task_id AND t.fence = m.fence AND t.reason <> 0
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
LEFT JOIN qflow.attempt a ON a.task_id = t.id AND a.fence = t.fence - 1
WHERE m.due_at = {forever} AND m.purpose = 0 AND m.task_id < :before AND m.task_id >= :lowest AND {is_meant}
    AND NOT EXISTS (SELECT 1 FROM qflow.failure h WHERE h.task_id = t.id AND h.fence = t.fence - 1 AND h.handled_at IS NOT NULL)
ORDER BY m.task_id DESC LIMIT {literal: batch}

-- shared: begin_groups
-- Of the newest `batch`, of each version by itself. `id`: of the newest. Names are looked up for what has been counted, not for
-- each of thousands.
SELECT d.workflow, COALESCE(n.task, x.job) AS task, x.error_class, x.failures, x.id, x.first_at, x.newest_at FROM (
SELECT y.definition_id, y.version_id, y.node, y.job, y.error_class, COUNT(*) AS failures, MAX(y.id) AS id,
    MIN(y.failed_at) AS first_at, MAX(y.failed_at) AS newest_at FROM (
SELECT t.id, i.definition_id, i.version_id, t.node, i.job, {error_class: t.reason a.error} AS error_class,
    COALESCE(t.finished_at, a.finished_at) AS failed_at

-- shared: end_groups
) y
GROUP BY y.definition_id, y.version_id, y.node, y.job, y.error_class) x
LEFT JOIN qflow.workflow_definition d ON d.id = x.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = x.version_id AND n.node = x.node

-- name: find_failures_ended
SELECT t.id {ended}

-- name: find_failures_waiting
SELECT t.id {waiting}

-- name: group_failures_ended
{begin_groups} {ended} {end_groups}

-- name: group_failures_waiting
{begin_groups} {waiting} {end_groups}

-- name: list_failure_items
SELECT t.id, CASE WHEN t.state = {task.FAILED} THEN t.done_fence ELSE t.fence - 1 END AS fence, i.id AS instance_id, d.workflow,
    COALESCE(n.task, i.job) AS task, t.map_index, t.label, {words: kind t.kind} AS kind, i.business_date,
    {error_class: t.reason a.error} AS error_class,
    SUBSTR(a.error, 1, 300) AS error, t.attempt AS attempts, COALESCE(t.finished_at, a.finished_at) AS failed_at,
    {words: task t.state} AS state, {words: instance i.state} AS instance_state, i.trigger_type, l.job
FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN} {only: postgres,sqlite JOIN} qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id = r.id
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.attempt a ON a.task_id = t.id AND a.fence = CASE WHEN t.state = {task.FAILED} THEN t.done_fence ELSE t.fence - 1 END
WHERE i.tenant = :tenant

-- name: list_handled_failures
SELECT v.id, v.fence, v.instance_id, v.workflow, v.task, v.map_index, v.label, v.kind, v.business_date, v.error_class,
    SUBSTR(v.error, 1, 300) AS error, v.attempts, v.failed_at, v.state, v.instance_state, v.trigger_type, v.job,
    v.handled_at, v.handled_by, v.note
FROM qflow.handled_failures v JOIN qflow.failure h ON h.task_id = v.id AND h.fence = v.fence AND h.handled_at >= :handled_since_at
WHERE v.tenant = :tenant AND (v.id < :before OR (v.id = :before AND v.fence < :before_fence))
    AND LOWER(COALESCE(v.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND :task IN ('', v.task)
    AND (:error_class = '%' OR LOWER(v.error_class) LIKE LOWER(:error_class) ESCAPE '!')
ORDER BY v.id DESC, v.fence DESC LIMIT {literal: batch}

-- name: list_queue
-- Lanes of the tenant in which tasks are ready. `oldest_at`: of the one that is claimed next.
SELECT l.id, l.pool, l.job,
    (SELECT COUNT(*) FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = l.id) AS tasks,
    (SELECT t.ready_at FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = l.id ORDER BY t.priority, t.id LIMIT 1) AS oldest_at,
    (SELECT COALESCE(y.reason, y.slot_reason) FROM qflow.lane_wait y WHERE y.lane = l.id) AS wait_reason
FROM qflow.lane l
WHERE l.tenant = :tenant AND EXISTS (SELECT 1 FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = l.id)
ORDER BY l.id LIMIT {literal: batch}
