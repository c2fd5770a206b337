-- What the pages of workflows ask: their lists, graphs and grids, who is there, what fires. Each page is a few statements,
-- never one a row. Where COALESCE stands around a tenant, the index that begins with it would be the wrong one.

-- name: resolve_workflow
-- By its key, else by its number; or the other way round.
SELECT d.id, d.workflow, d.active_version, v.version, v.hash, d.archived_at FROM qflow.workflow_definition d
LEFT JOIN qflow.workflow_version v ON v.id = d.active_version
WHERE d.tenant = :tenant AND (d.workflow = :workflow OR d.id = :id)
ORDER BY CASE WHEN d.workflow = :workflow THEN :number_first ELSE 1 - :number_first END LIMIT 1

-- name: list_workflow_keys
SELECT d.workflow FROM qflow.workflow_definition d WHERE d.tenant = :tenant ORDER BY d.workflow

-- name: list_workflow_page
-- `with_files`: 1 for files, too, that are not loaded while another one has their key; they are listed by their paths.
SELECT v.* FROM qflow.workflows v WHERE v.tenant = :tenant AND v.workflow > :after AND LOWER(v.workflow) LIKE LOWER(:prefix) ESCAPE '!'
    AND v.domain = COALESCE(:domain, v.domain) AND LOWER(v.tags) LIKE LOWER(:tags) ESCAPE '!' AND v.enabled = COALESCE(:enabled, v.enabled)
    AND CASE WHEN v.archived_at IS NULL THEN 0 ELSE 1 END <= :with_archived AND CASE WHEN v.workflow = v.file THEN 1 ELSE 0 END <= :with_files
ORDER BY v.workflow LIMIT {literal: batch}

-- name: count_workflow_page
SELECT COUNT(*) AS workflows FROM qflow.workflows v WHERE v.tenant = :tenant AND LOWER(v.workflow) LIKE LOWER(:prefix) ESCAPE '!'
    AND v.domain = COALESCE(:domain, v.domain) AND LOWER(v.tags) LIKE LOWER(:tags) ESCAPE '!' AND v.enabled = COALESCE(:enabled, v.enabled)
    AND CASE WHEN v.archived_at IS NULL THEN 0 ELSE 1 END <= :with_archived AND CASE WHEN v.workflow = v.file THEN 1 ELSE 0 END <= :with_files

-- name: show_workflow
SELECT v.* FROM qflow.workflows v WHERE v.tenant = :tenant AND v.workflow = :workflow

-- name: list_last_runs
-- Of a page of workflows, step by step down the index: a join would read every instance of each of them.
WITH RECURSIVE run (definition_id, id, n) AS (
    SELECT d.id, (SELECT i.id FROM qflow.workflow_instance i WHERE i.definition_id = d.id ORDER BY i.id DESC LIMIT 1), 1
    FROM qflow.workflow_definition d WHERE d.tenant = :tenant AND d.workflow BETWEEN :first_key AND :last_key
    UNION ALL
    SELECT r.definition_id, (SELECT i.id FROM qflow.workflow_instance i
        WHERE i.definition_id = r.definition_id AND i.id < r.id ORDER BY i.id DESC LIMIT 1), r.n + 1
    FROM run r WHERE r.id IS NOT NULL AND r.n < {literal: runs})
SELECT d.workflow, i.id, {words: instance i.state} AS state, i.business_date, {instant: i.created_at} AS created_at,
    {instant: i.started_at} AS started_at, {instant: i.finished_at} AS finished_at, {seconds: i.started_at, i.finished_at} AS duration_s
FROM run r
JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.workflow_definition d ON d.id = r.definition_id
ORDER BY d.workflow, i.id DESC

-- name: count_open_runs
SELECT d.workflow, o.runs FROM (SELECT i.definition_id, COUNT(*) AS runs
    FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_open)} {only: sqlite INDEXED BY workflow_instance_open}
    WHERE i.state < {instance.SUCCESS} AND COALESCE(i.tenant, '') = :tenant GROUP BY i.definition_id) o
JOIN qflow.workflow_definition d ON d.id = o.definition_id WHERE d.workflow BETWEEN :first_key AND :last_key

-- name: list_schedules_between
SELECT s.* FROM qflow.schedules s WHERE s.tenant = :tenant AND s.workflow BETWEEN :first_key AND :last_key ORDER BY s.workflow, s.name

-- name: list_fires_between
-- Each schedule's fires are a range of their key.
SELECT d.workflow, f.name AS schedule, {instant: f.fire_at} AS fire_at, f.instance_id,
    CASE WHEN f.is_missed = 1 THEN 'MISSED' ELSE COALESCE({words: instance i.state}, s.state) END AS state, s.error,
    COALESCE(i.business_date, s.business_date, f.business_date) AS business_date, LOWER({words: fact f.fact_kind}) AS fact, f.fact_id
FROM qflow.workflow_definition d
JOIN qflow.schedule c ON c.definition_id = d.id
JOIN qflow.schedule_fire f ON f.definition_id = c.definition_id AND f.name = c.name AND f.fire_at BETWEEN :first_at AND :last_at
LEFT JOIN qflow.workflow_instance i ON i.id = f.instance_id
LEFT JOIN qflow.submissions s ON s.id = f.instance_id
WHERE d.tenant = :tenant ORDER BY f.fire_at DESC LIMIT {literal: batch}

-- name: list_fires_of_schedule
SELECT f.* FROM qflow.fires f WHERE f.tenant = :tenant AND f.workflow = :workflow AND f.schedule = :name
ORDER BY f.fire_at DESC LIMIT {literal: batch}

-- name: load_documents
-- Of versions; tasks stand in the order of their numbers.
SELECT v.id, v.version, {words: version v.state} AS state, v.hash, v.document,
    v.faults, v.format, CASE WHEN v.faults IS NULL AND v.state <> {version.DRAFT} THEN NULL ELSE v.source_text END AS source_text
FROM {rows: id bigint} r
JOIN qflow.workflow_version v ON v.id = r.id
JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE d.tenant = :tenant

-- name: find_version_id
-- `version` 0 stands for a state: that of the active version, or of the newest draft.
SELECT v.id, v.version, {words: version v.state} AS state, v.hash FROM qflow.workflow_version v
JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE d.tenant = :tenant AND d.id = :definition_id AND (v.version = :version OR (:version = 0 AND v.state = :state
    AND (v.state <> {version.ACTIVE} OR v.id = d.active_version)))
ORDER BY v.version DESC LIMIT 1

-- name: show_version_source
SELECT v.* FROM qflow.versions v WHERE v.tenant = :tenant AND v.workflow = :workflow AND v.version = :version

-- name: list_grid_columns
SELECT i.id, i.version_id, v.version, v.hash, {words: instance i.state} AS state, i.business_date, i.trigger_type,
    {instant: i.created_at} AS created_at, {instant: i.started_at} AS started_at, {instant: i.finished_at} AS finished_at,
    {seconds: i.started_at, i.finished_at} AS duration_s
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
WHERE i.definition_id = :definition_id AND {only: mysql,sqlite COALESCE(i.tenant, '')}{only: postgres i.tenant} = :tenant AND i.id < :before
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: show_instance_head
SELECT i.id, i.version_id, i.job, {words: instance i.state} AS state, d.workflow, v.version, v.hash
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE i.id = :id AND i.tenant = :tenant

-- name: count_node_states
-- One pass over the key range of each instance. The row of a map is apart from those of its items, of which some may not
-- have been made: `items` is how many there will be.
SELECT i.id AS instance_id, t.node, {words: task t.state} AS state, CASE WHEN t.kind = {kind.HEAD} THEN 1 ELSE 0 END AS is_head,
    COUNT(*) AS tasks, MIN(t.id) AS task_id, MAX(f.items) AS items, MIN(t.started_at) AS started_at,
    MAX(t.finished_at) AS finished_at
FROM {rows: id bigint} r
JOIN qflow.workflow_instance i ON i.id = r.id
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
LEFT JOIN qflow.fan_out f ON f.task_id = t.id AND t.kind = {kind.HEAD}
-- An index of tenants would be read whole here: SQLite takes it for narrower than the instances that are given.
WHERE COALESCE(i.tenant, '') = :tenant AND t.kind <> {kind.COMPENSATION}
GROUP BY i.id, t.node, t.state, CASE WHEN t.kind = {kind.HEAD} THEN 1 ELSE 0 END

-- name: list_paused_nodes
SELECT y.node FROM qflow.workflow_instance i JOIN qflow.paused_node y ON y.instance_id = i.id
WHERE i.id = :id AND i.tenant = :tenant

-- name: list_daemon_loads
SELECT w.id, w.name, w.host, w.pid, w.version, {words: daemon w.state} AS state, {instant: w.started_at} AS started_at,
    {instant: w.seen_at} AS seen_at, w.memory_mb,
    (SELECT COALESCE(SUM(k.processes * k.threads), 0) FROM qflow.daemon_pool k WHERE k.daemon_id = w.id) AS slots,
    (SELECT COUNT(*) FROM qflow.task_instance t WHERE t.owner = w.id AND t.state IN ({task.RESERVED}, {task.RUNNING})) AS busy,
    (SELECT COUNT(*) FROM qflow.daemon_job j WHERE j.daemon_id = w.id) AS jobs_known,
    (SELECT COUNT(*) FROM qflow.plugin p WHERE p.daemon_id = w.id AND p.error IS NOT NULL) AS faulty_files
FROM qflow.daemon w WHERE w.state IN ({daemon.READY}, {daemon.STOPPING}) AND w.lease_ends_at > {clock} ORDER BY w.name, w.id

-- name: list_jobs_with_titles
SELECT v.*, j.title FROM qflow.jobs v JOIN qflow.job j ON j.name = v.job ORDER BY v.job

-- name: list_faulty_files
SELECT p.file, MIN(p.error) AS error FROM qflow.plugin p JOIN qflow.daemon w ON w.id = p.daemon_id
WHERE p.error IS NOT NULL AND w.state IN ({daemon.READY}, {daemon.STOPPING}) AND w.lease_ends_at > {clock} GROUP BY p.file
UNION ALL
SELECT f.file, f.error FROM qflow.workflow_fault f ORDER BY file

-- name: search_workflows
SELECT d.workflow, d.title FROM qflow.workflow_definition d WHERE d.tenant = :tenant AND d.archived_at IS NULL
    AND (LOWER(d.workflow) LIKE LOWER(:prefix) ESCAPE '!' OR LOWER(d.title) LIKE LOWER(:prefix) ESCAPE '!') ORDER BY d.workflow LIMIT {literal: batch}

-- name: search_tasks
SELECT d.workflow, n.task, n.title, n.job FROM qflow.workflow_definition d
JOIN qflow.workflow_node n ON n.version_id = d.active_version
WHERE d.tenant = :tenant AND d.archived_at IS NULL AND (LOWER(n.task) LIKE LOWER(:prefix) ESCAPE '!' OR LOWER(n.title) LIKE LOWER(:prefix) ESCAPE '!')
ORDER BY n.task, d.workflow LIMIT {literal: batch}

-- name: search_instances
-- By its number, or by its name among the latest ones: names have no index.
SELECT i.id, d.workflow, i.job, i.name, {words: instance i.state} AS state, i.business_date, {instant: i.created_at} AS created_at
FROM (SELECT x.id FROM (SELECT y.id, y.name FROM qflow.workflow_instance y WHERE y.tenant = :tenant ORDER BY y.id DESC LIMIT {literal: latest}) x
        WHERE LOWER(x.name) LIKE LOWER(:prefix) ESCAPE '!'
    UNION SELECT z.id FROM qflow.workflow_instance z WHERE z.tenant = :tenant AND z.id = :id) f
JOIN qflow.workflow_instance i ON i.id = f.id
LEFT JOIN qflow.workflow_definition d ON d.id = i.definition_id
ORDER BY CASE WHEN i.id = :id THEN 0 ELSE 1 END, i.id DESC LIMIT {literal: batch}

-- name: search_datasets
-- As they are written, by a range of the index: there is a row a series and date. The last in the order of names, so the latest dates.
SELECT d.name, d.version FROM qflow.dataset d
WHERE d.tenant = :tenant AND d.name {only: postgres COLLATE "C"} >= :prefix AND d.name {only: postgres COLLATE "C"} < :prefix_end
ORDER BY d.name {only: postgres COLLATE "C"} DESC LIMIT {literal: batch}

-- name: search_jobs
SELECT j.name AS job, j.title, j.doc FROM qflow.job j WHERE LOWER(j.name) LIKE LOWER(:prefix) ESCAPE '!' ORDER BY j.name LIMIT {literal: batch}
