-- What people and programs read: public views wherever an instance or a short list is asked for. Lists of instances
-- find their ids in the tables first: MySQL would work a view out for every row before it cuts the list off.

-- name: show_instance
SELECT * FROM qflow.instances WHERE id = :id AND tenant = :tenant

-- name: show_state
SELECT state, error FROM qflow.instances WHERE id = :id AND tenant = :tenant

-- name: find_open_instances
SELECT v.* FROM (SELECT i.id FROM qflow.workflow_instance i WHERE i.state < {instance.SUCCESS} AND i.tenant = :tenant
    AND i.id < :before ORDER BY i.id DESC LIMIT {literal: batch}) f JOIN qflow.instances v ON v.id = f.id ORDER BY v.id DESC

-- name: find_instances
SELECT v.* FROM (SELECT i.id FROM qflow.workflow_instance i WHERE i.state BETWEEN :first AND :last AND i.tenant = :tenant
    AND i.id < :before ORDER BY i.id DESC LIMIT {literal: batch}) f JOIN qflow.instances v ON v.id = f.id ORDER BY v.id DESC

-- name: find_instances_of
-- Of a workflow, or of a single job by that name: each half reads its own index.
SELECT v.* FROM (SELECT x.id FROM (
        SELECT w.id FROM (SELECT i.id FROM qflow.workflow_instance i WHERE i.definition_id = (SELECT d.id FROM qflow.workflow_definition d
            WHERE d.tenant = :tenant AND d.workflow = :workflow) AND i.state BETWEEN :first AND :last AND i.tenant = :tenant
            AND i.id < :before ORDER BY i.id DESC LIMIT {literal: batch}) w
        UNION ALL SELECT j.id FROM (SELECT i.id FROM qflow.workflow_instance i WHERE i.definition_id IS NULL AND i.job = :workflow
            AND i.state BETWEEN :first AND :last AND i.tenant = :tenant AND i.id < :before ORDER BY i.id DESC LIMIT {literal: batch}) j) x
    ORDER BY x.id DESC LIMIT {literal: batch}) f JOIN qflow.instances v ON v.id = f.id ORDER BY v.id DESC

-- name: show_tasks
-- A part of them, behind `after`. From views alone: a client of the database may have no right to tables.
SELECT * FROM qflow.tasks
WHERE instance_id = :instance_id AND tenant = :tenant AND kind <> 'compensation' AND id > :after AND id <= :last
ORDER BY id LIMIT {literal: batch}

-- name: show_task
SELECT id, instance_id, kind, task, map_index, label, state, wait_reason, error FROM qflow.tasks
WHERE id = :id AND instance_id = :instance_id AND tenant = :tenant

-- name: show_rows_of_task
-- An item of a map is found by its label among thousands; a part of them, behind `after`.
SELECT id, instance_id, kind, task, map_index, label, state, wait_reason, error FROM qflow.tasks
WHERE instance_id = :instance_id AND task = :task AND tenant = :tenant AND id > :after ORDER BY id LIMIT {literal: batch}

-- name: count_items
-- Of a map: those that it has not made yet among them.
SELECT total FROM qflow.breakpoints
WHERE instance_id = :instance_id AND task = :task AND tenant = :tenant AND kind <> 'compensation'

-- name: show_first_tasks
-- Of many: failed ones, then those that have not ended, running ones first. From views alone, and of those only the ids are
-- sorted: the rest is worked out for the rows that are left. PostgreSQL would join these with every row of the instance.
WITH f AS (SELECT t.id FROM qflow.tasks t
    WHERE t.instance_id = :instance_id AND t.tenant = :tenant AND t.id BETWEEN :first AND :last AND t.kind <> 'compensation'
    ORDER BY CASE t.state WHEN 'FAILED' THEN 0 WHEN 'RUNNING' THEN 1 WHEN 'RESERVED' THEN 2 WHEN 'HELD' THEN 3
        WHEN 'READY' THEN 4 WHEN 'PENDING' THEN 5 ELSE 6 END, t.id
    LIMIT {literal: batch})
SELECT v.* FROM {only: postgres qflow.tasks v WHERE v.id = ANY(ARRAY(SELECT f.id FROM f))}
    {only: mysql,sqlite f JOIN qflow.tasks v ON v.id = f.id WHERE 1 = 1} AND v.instance_id = :instance_id AND v.tenant = :tenant
ORDER BY v.id

-- name: count_states
-- Of its states alone the view works out little: whether ready rows are paused.
SELECT state, COUNT(*) AS tasks FROM qflow.tasks
WHERE instance_id = :instance_id AND tenant = :tenant AND kind <> 'compensation' GROUP BY state ORDER BY COUNT(*) DESC

-- name: show_first_errors
SELECT * FROM qflow.attempts WHERE instance_id = :instance_id AND tenant = :tenant AND error IS NOT NULL
ORDER BY task_id, fence LIMIT {literal: batch}

-- name: show_compensations
-- A part of them: joined with their view, PostgreSQL would join each row with all tasks of the instance.
WITH f AS (SELECT c.id FROM qflow.compensations c
    WHERE c.instance_id = :instance_id AND c.tenant = :tenant AND c.id > :after AND c.id <= :last ORDER BY c.id LIMIT {literal: batch})
SELECT v.* FROM {only: postgres qflow.tasks v WHERE v.id = ANY(ARRAY(SELECT f.id FROM f))}
    {only: mysql,sqlite f JOIN qflow.tasks v ON v.id = f.id WHERE 1 = 1} AND v.instance_id = :instance_id AND v.tenant = :tenant
ORDER BY v.id

-- name: list_breakpoints
-- Of many tasks, those first that need looking at.
SELECT * FROM qflow.breakpoints WHERE instance_id = :instance_id AND tenant = :tenant
ORDER BY CASE WHEN running > 0 THEN 0 WHEN would_start > 0 THEN 1 WHEN failed > 0 THEN 2 WHEN waiting > 0 THEN 3 ELSE 4 END, id
LIMIT {literal: batch}

-- name: sum_breakpoints
SELECT SUM(total) AS total, SUM(done) AS done, SUM(failed) AS failed, SUM(running) AS running, SUM(waiting) AS waiting,
    SUM(would_start) AS would_start, SUM(checkpoints) AS checkpoints
FROM qflow.breakpoints WHERE instance_id = :instance_id AND tenant = :tenant

-- name: show_outputs
SELECT id, task, map_index, label, state, output FROM qflow.tasks
WHERE instance_id = :instance_id AND task = :task AND tenant = :tenant AND kind NOT IN ('compensation', 'spawned') AND id > :after
ORDER BY id LIMIT {literal: batch}

-- name: show_large_output
-- In parts. The instance says whose it is.
SELECT l.value FROM qflow.workflow_instance i
JOIN qflow.large_value l ON l.task_id = :id AND l.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.id = :instance_id AND i.tenant = :tenant ORDER BY l.part

-- name: show_attempts
-- A part of them, behind an attempt of a task. The first condition is one that a database applies inside of the view.
SELECT * FROM qflow.attempts WHERE instance_id = :instance_id AND tenant = :tenant
    AND task_id >= :after AND (task_id > :after OR fence > :after_fence)
ORDER BY task_id, fence LIMIT {literal: batch}

-- name: find_failures
SELECT * FROM qflow.failures WHERE tenant = :tenant AND id < :before ORDER BY id DESC LIMIT {literal: batch}

-- name: find_handled_failures
-- One task may have failed and been handled several times.
SELECT * FROM qflow.handled_failures WHERE tenant = :tenant AND (id < :before OR (id = :before AND fence < :before_fence))
ORDER BY id DESC, fence DESC LIMIT {literal: batch}

-- name: list_logs
SELECT * FROM qflow.logs WHERE instance_id = :instance_id AND id > :after AND tenant = :tenant
ORDER BY id LIMIT {literal: batch}

-- name: list_task_logs
SELECT * FROM qflow.logs WHERE instance_id = :instance_id AND task = :task AND id > :after AND tenant = :tenant
ORDER BY id LIMIT {literal: batch}

-- name: list_workflows
SELECT * FROM qflow.workflows WHERE tenant = :tenant ORDER BY workflow

-- name: find_tenants_of_workflow
SELECT DISTINCT tenant FROM qflow.workflows WHERE workflow = :workflow AND tenant <> :tenant ORDER BY tenant

-- name: find_tenants_of_instance
SELECT tenant FROM qflow.submissions WHERE id = :id AND tenant <> :tenant

-- name: list_task_keys
SELECT DISTINCT n.task FROM qflow.workflow_definition d
JOIN qflow.workflow_version v ON v.definition_id = d.id
JOIN qflow.workflow_node n ON n.version_id = v.id
WHERE d.tenant = :tenant ORDER BY n.task

-- name: list_versions
-- Without source_text and document, which may be large.
SELECT workflow, version, state, hash, source, file, created_at, activated_at, activated_by, replaced, note, share,
    created_by, faults, base_hash
FROM qflow.versions WHERE workflow = :workflow AND tenant = :tenant ORDER BY version DESC

-- name: show_version_document
SELECT document FROM qflow.versions WHERE workflow = :workflow AND version = :version AND tenant = :tenant

-- name: list_schedules
SELECT * FROM qflow.schedules WHERE tenant = :tenant ORDER BY workflow, name

-- name: list_jobs
SELECT * FROM qflow.jobs ORDER BY job

-- name: list_plugins
SELECT p.file, w.name AS daemon, p.jobs, p.hash, p.error, p.updated_at
FROM qflow.plugin p JOIN qflow.daemon w ON w.id = p.daemon_id
WHERE w.state IN ({daemon.READY}, {daemon.STOPPING}) AND w.lease_ends_at > {clock} ORDER BY p.file, w.name

-- name: list_daemons
SELECT * FROM qflow.daemons ORDER BY name, id

-- name: list_pools
SELECT * FROM qflow.pools ORDER BY pool, daemon

-- name: show_limits
SELECT * FROM qflow.limits ORDER BY name

-- name: show_server
SELECT {only: postgres current_setting('server_version')}{only: mysql VERSION()}{only: sqlite sqlite_version()} AS version,
    {only: postgres current_setting('synchronous_commit')}{only: mysql CAST(@@innodb_flush_log_at_trx_commit AS CHAR)}
    {only: sqlite 'full'} AS durability,
    {only: postgres current_user}{only: mysql CURRENT_USER()}{only: sqlite ''} AS login,
    {only: postgres 0}{only: mysql @@max_allowed_packet}{only: sqlite 0} AS packet,
    -- MySQL and MariaDB know zones by name only once somebody has loaded them; CONVERT_TZ is null until then.
    {only: postgres,sqlite 1}{only: mysql CONVERT_TZ('2026-01-01', 'Europe/London', 'UTC') IS NOT NULL} AS knows_zones

-- name: show_isolation
-- MySQL and MariaDB give the variable different names.
{only: postgres SELECT 'isolation' AS name, current_setting('transaction_isolation') AS value}
{only: mysql SHOW VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')}
{only: sqlite SELECT 'isolation' AS name, 'serializable' AS value}

-- shared: signal_columns
s.id, s.name, s.business_date, s.payload, s.sent_by, {instant: s.lapses_at} AS expires_at, s.state, s.error, s.answered_at,
    {only: postgres,mysql s.created_at}{only: sqlite CASE WHEN s.created_at LIKE '____-__-__T%' AND julianday(s.created_at) IS NOT NULL THEN s.created_at END} AS created_at

-- name: find_signals
SELECT {signal_columns} FROM qflow.signals s WHERE s.tenant = :tenant AND s.id < :before ORDER BY s.id DESC LIMIT {literal: batch}

-- name: find_signals_named
SELECT {signal_columns} FROM qflow.signals s
WHERE s.tenant = :tenant AND s.name = :name AND LENGTH(s.tenant) <= 200 AND LENGTH(s.name) <= 200 AND s.id < :before
ORDER BY s.id DESC LIMIT {literal: batch}

-- name: find_open_approvals
-- What waits for an answer: few rows among all that wait.
SELECT a.id, a.instance_id, a.workflow, a.task, a.business_date, a.subject, a.state, a.asked_at, a.deadline_at, a.default_answer
FROM qflow.waiter w JOIN qflow.approvals a ON a.id = w.task_id
WHERE w.tenant = :tenant AND w.kind = {fact.APPROVAL} AND w.state < {wait.MET} AND a.state = 'WAITING' AND w.task_id > :after
ORDER BY w.task_id LIMIT {literal: batch}

-- name: find_datasets
-- Versions, the newest first: of each dataset the latest alone, or all.
SELECT d.* FROM qflow.datasets d WHERE d.tenant = :tenant AND d.id < :before AND (:is_all = 1 OR d.is_latest = 1)
ORDER BY d.id DESC LIMIT {literal: batch}

-- name: find_datasets_of
-- Of a series; '' as a name: of all that are in it.
SELECT d.* FROM qflow.datasets d
WHERE d.tenant = :tenant AND d.series = :series AND (:name = '' OR d.name = :name) AND d.id < :before AND (:is_all = 1 OR d.is_latest = 1)
ORDER BY d.id DESC LIMIT {literal: batch}

-- name: find_dataset_uses
-- Uses of versions, those of the newest instances first: all, or those of versions that are not the latest.
SELECT u.* FROM qflow.dataset_uses u WHERE u.tenant = :tenant AND u.id < :before AND (:is_all = 1 OR u.is_stale = 1)
ORDER BY u.id DESC LIMIT {literal: batch}

-- name: find_dataset_uses_of
-- Of a series; '' as a name: of all that are in it. Ids first: of a dataset without a date there may be a million.
SELECT u.* FROM (SELECT w.task_id FROM qflow.dataset b
    {only: mysql JOIN (SELECT {wait.MET} AS state UNION ALL SELECT {wait.ENDED}) s ON 1 = 1}
    {only: sqlite CROSS} JOIN qflow.waiter w {only: mysql FORCE INDEX (waiter_dataset)}
        ON w.tenant = b.tenant AND w.name = b.name AND w.kind = {fact.DATASET} AND w.dataset_version IS NOT NULL AND w.task_id < :before
        {only: mysql AND w.state = s.state}
    WHERE b.tenant = :tenant AND b.series = :series AND (:name = '' OR b.name = :name) AND (:is_all = 1 OR w.dataset_version < b.version)
    ORDER BY w.task_id DESC LIMIT {literal: batch}) f
{only: sqlite CROSS} JOIN qflow.dataset_uses u ON u.tenant = :tenant AND u.id = f.task_id ORDER BY u.id DESC

-- shared: stale_of_dataset
FROM {only: mysql (SELECT {wait.MET} AS state UNION ALL SELECT {wait.ENDED}) s STRAIGHT_JOIN} qflow.waiter w {only: mysql FORCE INDEX (waiter_dataset)}
WHERE w.tenant = b.tenant AND w.name = b.name AND w.kind = {fact.DATASET} AND w.dataset_version < b.version {only: mysql AND w.state = s.state}

-- name: count_stale_uses
-- Of each of these datasets, one more than `most` for all above it: those are not counted, for each new version makes them more.
-- MySQL has no partial index: it looks at each state in which a task has been given one.
SELECT b.name, CASE WHEN (SELECT 1 {stale_of_dataset} LIMIT 1 OFFSET :most) = 1 THEN :most + 1
    ELSE (SELECT COUNT(*) {stale_of_dataset}) END AS uses
FROM {rows: name text} r
{only: sqlite CROSS} JOIN qflow.dataset b ON b.tenant = :tenant AND b.name = r.name

-- name: show_clock
SELECT {clock} AS server_at

-- name: list_indexes
SELECT {only: postgres indexname AS name FROM pg_indexes WHERE schemaname = 'qflow'}
    {only: mysql DISTINCT index_name AS name FROM information_schema.statistics WHERE table_schema = 'qflow'}
    {only: sqlite name FROM qflow.sqlite_master WHERE type = 'index'}

-- name: count_new
SELECT COUNT(*) AS submissions FROM qflow.submissions WHERE is_open = 1 AND tenant = COALESCE(:tenant, tenant)

-- name: show_active_version
SELECT v.version, v.document, v.source_text, v.format, v.hash FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.id = d.active_version
WHERE d.tenant = :tenant AND d.workflow = :workflow

-- name: list_fires
SELECT * FROM qflow.fires WHERE workflow = :workflow AND tenant = :tenant
ORDER BY fire_at DESC, schedule LIMIT {literal: batch}

-- name: list_paused_workflows
SELECT workflow, wait_reason FROM qflow.workflows WHERE wait_reason IS NOT NULL ORDER BY workflow

-- name: list_changed_since_archived
-- Workflows that are archived, and whose file has changed since.
SELECT d.workflow, v.file FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.id = d.active_version
WHERE v.activated_at > d.archived_at ORDER BY d.workflow

-- name: list_gone_files
SELECT workflow, file, error FROM qflow.workflow_definition
WHERE enabled = 0 AND error IS NOT NULL AND archived_at IS NULL ORDER BY workflow

-- name: list_rejected_fires
SELECT d.workflow, s.error FROM qflow.schedule c
JOIN qflow.workflow_definition d ON d.id = c.definition_id
JOIN qflow.schedule_fire f ON f.definition_id = c.definition_id AND f.name = c.name AND f.fire_at = c.last_fire_at
JOIN qflow.submissions s ON s.id = f.instance_id
WHERE s.state = 'REJECTED' AND d.archived_at IS NULL ORDER BY d.workflow
