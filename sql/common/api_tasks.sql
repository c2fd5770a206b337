-- Rows of tasks for the HTTP API. Ids first, by the key range of an instance or an index of one state; the view is read for
-- a page only. `lane` and the state as stored tell for which rows the view need not be asked again why they wait.

-- name: show_rows_place
-- Where the rows of an instance lie, and those of one of its tasks.
SELECT i.id, i.state, i.version_id, i.job, i.next_ordinal, n.node, f.first_ordinal, f.items
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.task = :task
LEFT JOIN qflow.fan_out f ON f.task_id = i.id * 1048576 + n.node
WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: find_rows
SELECT t.id, t.node, t.lane, t.state FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant ORDER BY t.id LIMIT {literal: batch}

-- name: find_rows_like
-- What is the same for every row is worked out once: the search by a SELECT of its own, the nodes by the version as a
-- parameter; so is that no state is asked for: of a hundred thousand rows a comparison is a fifth of the time.
SELECT t.id, t.node, t.lane, t.state FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant AND (:in_any_state = 1 OR :states LIKE {concat: '%', t.state, '%'}) AND (:node < 0 OR t.node = :node)
    AND ({contains: LOWER(COALESCE(t.label, '')), (SELECT LOWER(:search))} OR t.node {in_few: SELECT n.node FROM qflow.workflow_node n
        WHERE n.version_id = :version_id AND {contains: LOWER(n.task), LOWER(:search)}})
ORDER BY t.id LIMIT {literal: batch}

-- name: find_failed_rows
-- Of thousands those few; MySQL reads the instance's rows.
SELECT t.id, t.node, t.lane, t.state FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} {only: sqlite INDEXED BY task_instance_failed}
    ON t.id BETWEEN :first AND :last AND t.state = {task.FAILED}
WHERE i.id = :instance_id AND i.tenant = :tenant AND (:node < 0 OR t.node = :node) ORDER BY t.id LIMIT {literal: batch}

-- name: find_first_failure
-- Among the first twenty: an item, else what has an error of its own. A map failed because of an item.
SELECT r.id FROM (SELECT t.id, t.map_index FROM qflow.workflow_instance i
    JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} {only: sqlite INDEXED BY task_instance_failed}
        ON t.id BETWEEN :first AND :last AND t.state = {task.FAILED}
    WHERE i.id = :instance_id AND i.tenant = :tenant AND t.kind <> {kind.COMPENSATION} ORDER BY t.id LIMIT 20) r
ORDER BY CASE WHEN r.map_index IS NOT NULL THEN 0
    WHEN EXISTS (SELECT 1 FROM qflow.attempt a WHERE a.task_id = r.id AND a.error IS NOT NULL) THEN 1 ELSE 2 END, r.id LIMIT 1

-- name: find_rows_failed_first
-- Failed ones, then those that have not ended, running ones first, then the rest.
SELECT r.id, r.node, r.lane, r.state, r.place FROM (
    SELECT t.id, t.node, t.lane, t.state, CASE WHEN t.state = {task.FAILED} THEN 0
        WHEN t.state < {task.SUCCESS} THEN {task.SUCCESS} - t.state WHEN t.state = {task.UPSTREAM_FAILED} THEN 6 ELSE 7 END AS place
    FROM qflow.workflow_instance i
    JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
    WHERE i.id = :instance_id AND i.tenant = :tenant AND (:in_any_state = 1 OR :states LIKE {concat: '%', t.state, '%'}) AND (:node < 0 OR t.node = :node)
        AND ({contains: LOWER(COALESCE(t.label, '')), (SELECT LOWER(:search))} OR t.node {in_few: SELECT n.node FROM qflow.workflow_node n
            WHERE n.version_id = :version_id AND {contains: LOWER(n.task), LOWER(:search)}})) r
WHERE r.place > :place OR (r.place = :place AND r.id > :after) ORDER BY r.place, r.id LIMIT {literal: batch}

-- name: count_rows
SELECT COUNT(*) AS tasks FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant AND (:in_any_state = 1 OR :states LIKE {concat: '%', t.state, '%'}) AND (:node < 0 OR t.node = :node)
    AND ({contains: LOWER(COALESCE(t.label, '')), (SELECT LOWER(:search))} OR t.node {in_few: SELECT n.node FROM qflow.workflow_node n
        WHERE n.version_id = :version_id AND {contains: LOWER(n.task), LOWER(:search)}})

-- name: find_ids_held
-- What daemons hold, of all instances of the tenant: by the daemons there ever were, which are few.
SELECT t.id, t.node, t.lane, t.state FROM qflow.daemon w
JOIN qflow.task_instance t {only: mysql FORCE INDEX (task_instance_held)} {only: sqlite INDEXED BY task_instance_held}
    ON t.owner = w.id AND t.state IN ({task.RESERVED}, {task.RUNNING})
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE i.tenant = :tenant AND t.id < :before AND :states LIKE {concat: '%', t.state, '%'} AND :workflow IN ('', d.workflow)
    AND :task IN ('', COALESCE(n.task, i.job)) AND :job IN ('', l.job) AND :pool IN ('', l.pool)
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
ORDER BY t.id DESC LIMIT {literal: batch}

-- name: find_ids_failed_tasks
SELECT t.id, t.node, t.lane, t.state FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)}
    {only: sqlite INDEXED BY task_instance_failed}
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE t.state = {task.FAILED} AND t.id < :before AND t.id >= :lowest AND i.tenant = :tenant AND :workflow IN ('', d.workflow)
    AND :task IN ('', COALESCE(n.task, i.job)) AND :job IN ('', l.job) AND :pool IN ('', l.pool)
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
ORDER BY t.id DESC LIMIT {literal: batch}

-- name: list_lanes_from
-- Lanes of the tenant in which a row is ready.
SELECT l.id, l.pool, l.job FROM qflow.lane l
WHERE l.tenant = :tenant AND l.id >= :lane AND :job IN ('', l.job) AND :pool IN ('', l.pool)
    AND EXISTS (SELECT 1 FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)}
        {only: sqlite INDEXED BY task_instance_claim} WHERE t.state = {task.READY} AND t.lane = l.id)
ORDER BY l.id LIMIT {literal: batch}

-- name: find_ids_ready
-- Of one lane, in the order in which they are claimed.
SELECT t.id, t.node, t.lane, t.state, t.priority FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)}
    {only: sqlite INDEXED BY task_instance_claim}
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE t.state = {task.READY} AND t.lane = :lane AND t.priority >= :priority AND (t.priority > :priority OR t.id > :after)
    AND i.tenant = :tenant AND :workflow IN ('', d.workflow) AND :task IN ('', COALESCE(n.task, i.job))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
ORDER BY t.priority, t.id LIMIT {literal: batch}

-- name: list_task_items
-- Why a row waits is worked out where `asks` is 1: rows of one lane, node and instance wait for the same. PostgreSQL joins so
-- many tables in the order in which they are written: with a join it would work out every row of the instances.
SELECT v.id, v.instance_id, v.workflow, v.task, v.map_index, v.label, v.kind, v.job, v.pool, v.state, v.reason, v.attempt,
    SUBSTR(v.error, 1, 300) AS error, v.daemon, v.ready_at, v.started_at, v.finished_at, v.duration_s,
    {only: postgres CASE WHEN v.id = ANY(ARRAY(SELECT x.id FROM {rows: id bigint, asks smallint} x WHERE x.asks = 1)) THEN v.wait_reason END}
    {only: mysql,sqlite CASE WHEN r.asks = 1 THEN v.wait_reason END} AS wait_reason,
    v.progress, v.progress_text AS progress_message, v.child_instance_id
FROM {only: postgres qflow.tasks v WHERE v.id = ANY(ARRAY(SELECT x.id FROM {rows: id bigint, asks smallint} x))}
    {only: mysql,sqlite {rows: id bigint, asks smallint} r JOIN qflow.tasks v ON v.id = r.id AND v.instance_id = r.id >> 20 WHERE 1 = 1}
    AND v.tenant = :tenant

-- name: show_task_detail
SELECT v.id, v.instance_id, v.workflow, v.task, v.map_index, v.label, v.kind, v.job, v.pool, v.state, v.reason, v.attempt,
    v.error, v.daemon, v.ready_at, v.started_at, v.finished_at, v.duration_s, v.wait_reason, v.progress,
    v.progress_text AS progress_message, v.child_instance_id, v.params, v.output
FROM qflow.tasks v WHERE v.id = :id AND v.instance_id = :instance_id AND v.tenant = :tenant

-- name: show_output
SELECT t.state, t.output AS as_text FROM qflow.workflow_instance i JOIN qflow.task_instance t ON t.id = :id
WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: show_output_part
SELECT l.value FROM qflow.workflow_instance i JOIN qflow.large_value l ON l.task_id = :id AND l.part = :part
WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: show_params
SELECT v.params AS as_text FROM qflow.tasks v WHERE v.id = :id AND v.instance_id = :instance_id AND v.tenant = :tenant

-- name: list_attempts_of_task
SELECT * FROM qflow.attempts
WHERE task_id = :id AND instance_id = :instance_id AND tenant = :tenant AND fence < :before ORDER BY fence DESC LIMIT {literal: batch}

-- name: show_attempt
SELECT * FROM qflow.attempts WHERE task_id = :id AND instance_id = :instance_id AND fence = :fence AND tenant = :tenant
