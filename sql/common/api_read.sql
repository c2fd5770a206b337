-- Lists of instances for the HTTP API. Ids first, newest first, each statement by an index of its own: what else is asked
-- is a condition on the rows between `lowest` and `before`, which the caller keeps few. The view is read for a page only.

-- name: find_ids_of_tenant
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_tenant)} {only: sqlite INDEXED BY workflow_instance_tenant}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE 1 = 1 AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_ids_of_definition
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_definition)} {only: sqlite INDEXED BY workflow_instance_definition}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.definition_id = :definition_id AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_ids_open
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_open)} {only: sqlite INDEXED BY workflow_instance_open}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.state < {instance.SUCCESS} AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_ids_failed
-- Terminated ones too. MySQL has no index of these alone.
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_tenant)} {only: sqlite INDEXED BY workflow_instance_failed}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.state > {instance.SUCCESS} AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_ids_on_date
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_date)} {only: sqlite INDEXED BY workflow_instance_date}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.business_date = CAST(:date AS {date_cast}) AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_ids_of_definition_on_date
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_date)} {only: sqlite INDEXED BY workflow_instance_date}
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
WHERE i.business_date = CAST(:date AS {date_cast}) AND i.definition_id = :definition_id AND i.tenant = :tenant AND i.id < :before AND i.id >= :lowest
    AND :states LIKE {concat: '%', i.state, '%'} AND :trigger_type IN ('', i.trigger_type) AND :job IN ('', i.job) AND :definition_id IN (0, i.definition_id)
    AND (:is_dated = 0 OR i.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}))
    AND i.created_at >= :created_from_at AND i.created_at < :created_to_at
    AND LOWER(COALESCE(d.workflow, '')) LIKE LOWER(:workflow) ESCAPE '!' AND LOWER(COALESCE(i.name, d.workflow, i.job)) LIKE LOWER(:name) ESCAPE '!'
    AND :domain IN ('', d.domain) AND LOWER(COALESCE(d.tags, '[]')) LIKE LOWER(:tag) ESCAPE '!'
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: count_ids_of_tenant
-- These count what no more is asked of than what an index tells: as the statements above, and up to `batch`.
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_tenant)}
    {only: sqlite INDEXED BY workflow_instance_tenant} WHERE i.tenant = :tenant ORDER BY i.id DESC LIMIT {literal: batch}) c

-- name: count_ids_of_definition
-- Whose they are says their workflow, so that no row is read.
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_definition d
    JOIN qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_definition)} {only: sqlite INDEXED BY workflow_instance_definition}
        ON i.definition_id = d.id
    WHERE d.id = :definition_id AND d.tenant = :tenant LIMIT {literal: batch}) c

-- name: count_ids_open
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_open)}
    {only: sqlite INDEXED BY workflow_instance_open} WHERE i.state < {instance.SUCCESS} AND i.tenant = :tenant LIMIT {literal: batch}) c

-- name: count_ids_failed
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_open)}
    {only: sqlite INDEXED BY workflow_instance_failed} WHERE i.state > {instance.SUCCESS} AND i.tenant = :tenant
    {only: postgres,sqlite ORDER BY i.id DESC} LIMIT {literal: batch}) c

-- name: count_ids_on_date
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_date)}
    {only: sqlite INDEXED BY workflow_instance_date}
    WHERE i.business_date = CAST(:date AS {date_cast}) AND i.tenant = :tenant LIMIT {literal: batch}) c

-- name: count_ids_of_definition_on_date
SELECT COUNT(*) AS instances FROM (SELECT i.id FROM qflow.workflow_definition d
    JOIN qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_date)} {only: sqlite INDEXED BY workflow_instance_date}
        ON i.business_date = CAST(:date AS {date_cast}) AND i.definition_id = d.id
    WHERE d.id = :definition_id AND d.tenant = :tenant LIMIT {literal: batch}) c

-- name: find_definition_id
SELECT d.id, d.workflow FROM qflow.workflow_definition d WHERE d.tenant = :tenant AND d.workflow = :workflow

-- name: find_definitions_like
SELECT d.id, d.workflow FROM qflow.workflow_definition d
WHERE d.tenant = :tenant AND LOWER(d.workflow) LIKE LOWER(:workflow) ESCAPE '!' ORDER BY d.id LIMIT {literal: batch}

-- name: find_instance_from
-- The first at or after an id: when instances were made is found by halving, as ids rise with time.
SELECT i.id, i.created_at FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_tenant)} {only: sqlite INDEXED BY workflow_instance_tenant}
WHERE i.tenant = :tenant AND i.id >= :id ORDER BY i.id LIMIT 1

-- name: find_newest_instance
SELECT i.id, i.created_at FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_tenant)} {only: sqlite INDEXED BY workflow_instance_tenant}
WHERE i.tenant = :tenant ORDER BY i.id DESC LIMIT 1

-- name: list_instance_items
SELECT v.id, v.workflow, w.job, v.version, v.name, v.state, v.reason, v.saga_state, v.trigger_type, v.business_date, v.priority,
    v.progress, v.created_at, v.started_at, v.finished_at, v.updated_at, v.duration_s, SUBSTR(v.error, 1, 300) AS error, v.wait_reason,
    d.domain, d.tags, v.parent_instance_id, v.parent_task_id, v.late_at
FROM {rows: id bigint} r
JOIN qflow.instances v ON v.id = r.id
JOIN qflow.workflow_instance w ON w.id = r.id
LEFT JOIN qflow.workflow_definition d ON d.id = w.definition_id
WHERE v.tenant = :tenant

-- name: show_instance_item
-- Without `progress`, for which the view counts the rows of what is open: the caller counts them anyway.
SELECT v.id, v.workflow, w.job, v.version, v.name, v.state, v.reason, v.saga_state, v.trigger_type, v.business_date, v.priority,
    v.created_at, v.started_at, v.finished_at, v.updated_at, v.duration_s, v.error, v.wait_reason,
    d.domain, d.tags, v.parent_instance_id, v.parent_task_id, v.late_at, v.params, w.overrides, w.fire_at, w.deadline_at, w.next_ordinal
FROM qflow.instances v
JOIN qflow.workflow_instance w ON w.id = v.id
LEFT JOIN qflow.workflow_definition d ON d.id = w.definition_id
WHERE v.id = :id AND v.tenant = :tenant

-- name: count_rows_by_state
-- In one pass. `tasks`: without what undoes others.
SELECT {words: task t.state} AS state, COUNT(CASE WHEN t.kind <> {kind.COMPENSATION} THEN 1 END) AS tasks, COUNT(*) AS tasks_and_undoing
FROM qflow.workflow_instance i
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.id = :instance_id AND i.tenant = :tenant GROUP BY t.state

-- name: show_unadmitted
SELECT s.state, s.instance_id, s.error FROM qflow.submissions s WHERE s.id = :id AND s.tenant = :tenant
