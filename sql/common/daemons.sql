-- Daemons: who is there, whose lease is over, what they know.

-- name: insert_daemon
-- boot_id is read by nobody.
INSERT INTO qflow.daemon (name, host, boot_id, pid, lock_file, version, state, started_at, seen_at, lease_ends_at)
VALUES (:name, :host, '', :pid, :lock_file, :version, {daemon.STARTING}, :now, {clock}, {clock + :lease_s})
{returning: id}

-- name: list_namesakes
SELECT d.id, d.host, d.pid FROM qflow.daemon d
WHERE d.name = :name AND d.id <> :id AND d.state < {daemon.GONE} AND d.lease_ends_at > {clock} ORDER BY d.id

-- name: beat
-- Hits no row when others have taken this daemon for dead, or when this is another database under the same name.
UPDATE qflow.daemon SET seen_at = {clock}, lease_ends_at = {clock + :lease_s}, memory_mb = :memory_mb
WHERE id = :id AND state < {daemon.GONE} AND EXISTS (
    SELECT 1 FROM qflow.meta m WHERE m.name = 'database_id' AND m.value = :database_id)

-- name: load_beat
-- The server's clock as the beat wrote it, and what people want of instances that still run.
SELECT d.seen_at, i.id AS instance_id, i.intent FROM qflow.daemon d
LEFT JOIN qflow.workflow_instance i ON i.intent <> 0 AND i.state < {instance.SUCCESS} WHERE d.id = :id

-- name: set_daemon_state
-- Leaves seen_at alone: the lease runs from there.
UPDATE qflow.daemon SET state = :state WHERE id = :id AND state < {daemon.GONE}

-- name: list_neighbours
SELECT d.id, d.seen_at, d.lock_file, CASE WHEN d.lease_ends_at < {clock} THEN 1 ELSE 0 END AS has_expired
FROM qflow.daemon d WHERE d.state < {daemon.GONE} AND d.id <> :id

-- name: list_gone_owners
-- Daemons marked dead that still own rows: somebody died while taking them back, or could not lock all of them.
SELECT d.id FROM qflow.daemon d WHERE d.state = {daemon.GONE} AND d.seen_at > :since
    AND EXISTS (SELECT 1 FROM qflow.task_instance t WHERE t.owner = d.id AND t.state IN ({task.RESERVED}, {task.RUNNING}))

-- name: mark_daemon_gone
-- Nobody can renew this lease any more.
UPDATE qflow.daemon SET state = {daemon.GONE}, seen_at = {clock}
WHERE id = :id AND state < {daemon.GONE} AND (:has_expired = 0 OR lease_ends_at < {clock})

-- name: list_living_releases
-- Releases of the living daemons.
SELECT DISTINCT d.version FROM qflow.daemon d WHERE d.state = {daemon.READY} AND d.lease_ends_at > {clock}

-- name: forget_daemon_jobs
DELETE FROM qflow.daemon_job WHERE daemon_id = :id

-- name: forget_daemon_pools
DELETE FROM qflow.daemon_pool WHERE daemon_id = :id

-- name: list_faulty_plugins
SELECT DISTINCT file FROM qflow.plugin WHERE error IS NOT NULL ORDER BY file LIMIT 5

-- name: forget_daemon_plugins
DELETE FROM qflow.plugin WHERE daemon_id = :id

-- name: forget_waker
DELETE FROM qflow.waker WHERE daemon_id = :id

-- name: insert_daemon_pools
INSERT INTO qflow.daemon_pool (daemon_id, pool, processes, threads)
SELECT :id, r.pool, r.processes, r.threads FROM {rows: pool text, processes int, threads int} r WHERE 1 = 1
{ignored: daemon_pool.threads}

-- name: list_domain_pools
SELECT p.domain, p.pool FROM qflow.domain_pool p

-- name: save_domain_pools
INSERT INTO qflow.domain_pool (domain, pool, updated_at)
SELECT r.domain, r.pool, :now FROM {rows: domain text, pool text} r WHERE 1 = 1
{upsert: domain} pool = {excluded: pool}, updated_at = {excluded: updated_at}

-- name: insert_daemon_jobs
INSERT INTO qflow.daemon_job (daemon_id, job) SELECT :id, r.job FROM {rows: job text} r WHERE 1 = 1 {ignored: daemon_job.job}

-- name: insert_plugins
INSERT INTO qflow.plugin (daemon_id, file, hash, jobs, error, updated_at)
SELECT :id, r.file, r.hash, r.jobs, r.error, :now FROM {rows: file text, hash text, jobs text, error text} r WHERE 1 = 1
{upsert: daemon_id, file} hash = {excluded: hash}, jobs = {excluded: jobs}, error = {excluded: error},
    updated_at = {excluded: updated_at}

-- name: list_registered_jobs
SELECT name, hash, settings, params_schema FROM qflow.job

-- name: save_jobs
INSERT INTO qflow.job (name, title, params_schema, settings, file, hash, doc, updated_at)
SELECT r.name, r.title, r.params_schema, r.settings, r.file, r.hash, r.doc, :now
FROM {rows: name text, title text, params_schema text, settings text, file text, hash text, doc text} r WHERE 1 = 1
{upsert: name} title = {excluded: title}, params_schema = {excluded: params_schema}, settings = {excluded: settings},
    file = {excluded: file}, hash = {excluded: hash}, doc = {excluded: doc}, updated_at = {excluded: updated_at}

-- name: set_asleep
INSERT INTO qflow.waker (daemon_id, is_asleep) VALUES (:id, :is_asleep) {upsert: daemon_id} is_asleep = {excluded: is_asleep}

-- name: list_inbox_writers
-- Transactions that have written to an inbox and are still open. They may have read `waker` before it changed, and then their
-- COMMIT does not notify.
{only: postgres SELECT DISTINCT virtualtransaction AS writer FROM pg_locks WHERE mode = 'RowExclusiveLock'
    AND relation IN ('qflow.submissions'::regclass, 'qflow.commands'::regclass, 'qflow.signals'::regclass)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()}{only: mysql,sqlite SELECT '' AS writer WHERE 1 = 0}

-- name: read_database_id
SELECT value, {clock} AS server_at FROM qflow.meta WHERE name = 'database_id'

-- name: probe_lock
-- Does SKIP LOCKED skip what another session holds? Asked once at start, of a table that always has rows.
SELECT number, step FROM qflow.migration ORDER BY number, step LIMIT 2 {lock}

-- name: count_open
-- What `--until-idle` waits for, and in how many lanes something stands: in one look, since rows move from one to the
-- other. Of timers those that are due, and retries that no person has to ask for: a deferral has no reason. A row of an
-- instance that is being terminated is counted as an intent, a backfill where its next date can begin, a date of a workflow that
-- tasks wait for where it has succeeded, and a dataset that they wait for where it is recorded.
SELECT (SELECT COUNT(*) FROM qflow.submissions WHERE is_open = 1) AS submissions,
    (SELECT COUNT(*) FROM qflow.signals WHERE is_open = 1) AS signals,
    (SELECT COUNT(*) FROM qflow.waiter WHERE state IN ({wait.NEW}, {wait.MET}, {wait.OVER})) AS waits,
    (SELECT COUNT(*) FROM (SELECT DISTINCT w.tenant, w.name, w.business_date
            FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_workflow)} {only: sqlite INDEXED BY waiter_workflow}
            WHERE w.state = {wait.WAITING} AND w.kind = {fact.WORKFLOW}) q
        JOIN qflow.workflow_definition d ON d.tenant = q.tenant AND d.workflow = q.name
        WHERE EXISTS (SELECT 1 FROM qflow.workflow_instance x
            WHERE x.business_date = q.business_date AND x.definition_id = d.id AND x.state = {instance.SUCCESS})) AS successes,
    (SELECT COUNT(*) FROM (SELECT DISTINCT w.tenant, w.name
            FROM qflow.waiter w {only: mysql FORCE INDEX (waiter_dataset)} {only: sqlite INDEXED BY waiter_dataset}
            WHERE w.state IN ({wait.WAITING}, {wait.OVER}) AND w.kind = {fact.DATASET}) q
        JOIN qflow.dataset d ON d.tenant = q.tenant AND d.name = q.name) AS datasets,
    (SELECT COUNT(*) FROM qflow.commands WHERE is_open = 1) AS commands,
    (SELECT COUNT(*) FROM qflow.workflow_instance WHERE intent <> 0 AND state IN ({instance.RUNNING}, {instance.PAUSED})) AS intents,
    (SELECT COUNT(*) FROM qflow.task_sweep) AS sweeps,
    (SELECT COUNT(*) FROM (SELECT DISTINCT w.concurrency_key FROM qflow.workflow_instance w
        JOIN qflow.workflow_version v ON v.id = w.version_id
        JOIN qflow.workflow_definition d ON d.id = v.definition_id AND d.paused_at IS NULL
        WHERE w.concurrency_key IS NOT NULL AND w.state < {instance.SUCCESS} AND w.state = {instance.READY}) q
        WHERE NOT EXISTS (SELECT 1 FROM qflow.workflow_instance r WHERE r.concurrency_key = q.concurrency_key
            AND r.state < {instance.SUCCESS} AND r.state >= {instance.RUNNING})) AS turns,
    (SELECT COUNT(*) FROM qflow.task_instance WHERE state IN ({task.RESERVED}, {task.RUNNING})) AS held,
    (SELECT COUNT(*) FROM qflow.timer WHERE due_at <= :now) AS due,
    (SELECT COUNT(*) FROM (SELECT t.id FROM qflow.timer m JOIN qflow.task_instance t ON t.id = m.task_id
        WHERE m.purpose = 0 AND m.due_at < {forever} AND t.state = {task.PENDING} AND t.reason <> 0 LIMIT 1) AS first_retry) AS retries,
    (SELECT COUNT(*) FROM qflow.child c LEFT JOIN qflow.workflow_instance i ON i.id = c.instance_id
        WHERE c.is_open = 1 AND (i.id IS NULL OR i.state >= {instance.SUCCESS})) AS children,
    (SELECT COUNT(*) FROM qflow.backfill b JOIN qflow.workflow_definition d ON d.id = b.definition_id
        AND d.enabled = 1 AND d.archived_at IS NULL AND d.paused_at IS NULL AND d.active_version IS NOT NULL
        WHERE b.state < {backfill.DONE} AND b.state = {backfill.RUNNING} AND (b.resumes_at IS NULL OR b.resumes_at <= :now)
        AND EXISTS (SELECT 1 FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.OPEN})
        AND b.max_active > (SELECT COUNT(*) FROM qflow.backfill_date x
            JOIN qflow.workflow_instance i ON i.id = x.submission_id AND i.state < {instance.SUCCESS}
            WHERE x.backfill_id = b.id AND x.state = {of_date.ACTIVE})) AS backfills,
    (SELECT COUNT(*) FROM qflow.lane l WHERE EXISTS (
        SELECT 1 FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = l.id)) AS ready_lanes

-- name: count_failed_since
SELECT COUNT(*) AS failed FROM qflow.workflow_instance WHERE state = {instance.FAILED} AND finished_at >= :since

-- name: list_live_lanes
-- Those of these lanes whose tasks some living daemon runs.
SELECT l.id FROM {rows: id bigint} r JOIN qflow.lane l ON l.id = r.id
WHERE EXISTS (SELECT 1 FROM qflow.daemon d JOIN qflow.daemon_job o ON o.daemon_id = d.id JOIN qflow.daemon_pool k ON k.daemon_id = d.id
    WHERE o.job = l.job AND k.pool = l.pool AND d.state = {daemon.READY} AND d.lease_ends_at > {clock})

-- name: list_ready_lanes
-- Lanes in which something stands that may run. `is_live`: some daemon has the job, and some the pool; or neither is needed.
SELECT l.id, l.job, l.pool, CASE WHEN l.pool IN ('', '(wait)') OR EXISTS (SELECT 1 FROM qflow.daemon_job k JOIN qflow.daemon d ON d.id = k.daemon_id
        WHERE k.job = l.job AND d.state = {daemon.READY} AND d.lease_ends_at > {clock})
    AND EXISTS (SELECT 1 FROM qflow.daemon_pool k JOIN qflow.daemon d ON d.id = k.daemon_id
        WHERE k.pool = l.pool AND d.state = {daemon.READY} AND d.lease_ends_at > {clock}) THEN 1 ELSE 0 END AS is_live
FROM qflow.lane l WHERE EXISTS (SELECT 1 FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = l.id)

-- name: list_blocking_limits
-- Limits that may let nothing of a lane begin, in which something stands, until a person changes that: they have too few
-- slots, or a rate (whoever asks compares that), or are paused without an end.
SELECT m.lane, l.tenant, m.name, m.weight, k.capacity, k.rates, CASE WHEN k.resumes_at = {forever} THEN 1 ELSE 0 END AS is_paused
FROM qflow.lane_limit m JOIN qflow.limit_key k ON k.name = m.name JOIN qflow.lane l ON l.id = m.lane
WHERE (m.weight > k.capacity OR k.rates IS NOT NULL OR k.resumes_at = {forever})
    AND EXISTS (SELECT 1 FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = m.lane)
ORDER BY m.name, m.lane

-- name: count_ready_of_lane
SELECT MIN(t.id) AS first, COUNT(*) AS tasks FROM qflow.task_instance t WHERE t.state = {task.READY} AND t.lane = :lane
