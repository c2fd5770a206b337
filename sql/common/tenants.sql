-- Tenants with walls: what admission asks about them, what administrators set, and what was used. Locked before limits.

-- name: load_tenants
SELECT x.name, x.state, x.revision FROM {rows: name text} r JOIN qflow.tenant x ON x.name = r.name

-- name: load_quotas
SELECT q.tenant, q.name, q.value FROM {rows: name text} r JOIN qflow.quota q ON q.tenant = r.name ORDER BY q.tenant, q.name

-- name: lock_tenants
SELECT x.name, x.state, x.revision, x.counted_day, x.submissions FROM {rows: name text} r
{only: mysql STRAIGHT_JOIN qflow.tenant x FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.tenant x} ON x.name = r.name
ORDER BY x.name {only: postgres FOR UPDATE OF x}{only: mysql FOR UPDATE}

-- name: count_open_of_tenants
SELECT r.name, (SELECT COUNT(*) FROM qflow.workflow_instance i WHERE i.meter = 1 AND i.tenant = r.name) AS instances
FROM {rows: name text} r

-- name: sum_logged
SELECT COALESCE(SUM(u.log_mb), 0) AS log_mb FROM qflow.usage_day u WHERE u.tenant = :tenant AND u.day = CAST(:day AS {date_cast})

-- name: note_accepted
-- So many submissions were accepted on a day; lock_tenants has locked the rows.
{update: qflow.tenant x, name text, counted_day date, submissions int | x.name = d.name}
counted_day = d.counted_day, submissions = d.submissions

-- name: list_tenants
-- Open instances and live workflows are counted for each: there are a handful of tenants, or a few hundred.
SELECT x.name, x.title, x.state, x.revision, x.created_at, x.updated_at, x.counted_day, x.submissions,
    (SELECT COUNT(*) FROM qflow.workflow_instance i WHERE i.meter = 1 AND i.tenant = x.name) AS open_instances,
    (SELECT COUNT(*) FROM qflow.workflow_definition d WHERE d.tenant = x.name AND d.archived_at IS NULL) AS workflows,
    COALESCE((SELECT k.used FROM qflow.limit_key k WHERE k.name = {concat: 'tenant:', x.name}), 0) AS running_tasks,
    COALESCE((SELECT SUM(u.log_mb) FROM qflow.usage_day u WHERE u.tenant = x.name AND u.day = CAST(:day AS {date_cast})), 0) AS log_mb
FROM qflow.tenant x WHERE x.name > :after ORDER BY x.name LIMIT {literal: batch}

-- name: show_tenant
SELECT x.name, x.title, x.state, x.revision, x.created_at, x.updated_at, x.counted_day, x.submissions,
    (SELECT COUNT(*) FROM qflow.workflow_instance i WHERE i.meter = 1 AND i.tenant = x.name) AS open_instances,
    (SELECT COUNT(*) FROM qflow.workflow_definition d WHERE d.tenant = x.name AND d.archived_at IS NULL) AS workflows,
    COALESCE((SELECT k.used FROM qflow.limit_key k WHERE k.name = {concat: 'tenant:', x.name}), 0) AS running_tasks,
    COALESCE((SELECT SUM(u.log_mb) FROM qflow.usage_day u WHERE u.tenant = x.name AND u.day = CAST(:day AS {date_cast})), 0) AS log_mb
FROM qflow.tenant x WHERE x.name = :tenant

-- name: list_quotas
SELECT q.name, q.value, q.set_by, q.updated_at FROM qflow.quota q WHERE q.tenant = :tenant ORDER BY q.name

-- name: insert_tenant
-- `revision`: its first, above all that a tenant of this name ever had.
INSERT INTO qflow.tenant (name, title, state, revision, created_at, updated_at)
VALUES (:tenant, :title, 'ACTIVE', :revision, :now, :now)

-- name: update_tenant
-- Locks it, so an admission either sees all of what follows or was before it.
UPDATE qflow.tenant SET title = COALESCE(:title, title), state = COALESCE(:state, state), revision = revision + 1, updated_at = :now
WHERE name = :tenant

-- name: count_enabled_principals
SELECT COUNT(*) AS principals FROM qflow.principal p WHERE p.tenant = :tenant AND p.disabled_at IS NULL

-- name: delete_tenant
DELETE FROM qflow.tenant WHERE name = :tenant

-- name: save_quotas
INSERT INTO qflow.quota (tenant, name, value, set_by, updated_at)
SELECT :tenant, r.name, r.value, :set_by, :now FROM {rows: name text, value text} r WHERE 1 = 1
{upsert: tenant, name} value = {excluded: value}, set_by = {excluded: set_by}, updated_at = {excluded: updated_at}

-- name: delete_quotas
{delete: qflow.quota q, tenant text, name text | q.tenant = d.tenant AND q.name = d.name}

-- name: meter_open_instances
-- What is open when its tenant gets a row is counted from then on.
UPDATE qflow.workflow_instance SET meter = 1 WHERE tenant = :tenant AND state < {instance.SUCCESS}

-- name: find_workflow_quota
SELECT q.value, (SELECT COUNT(*) FROM qflow.workflow_definition d WHERE d.tenant = q.tenant AND d.archived_at IS NULL) AS workflows
FROM qflow.quota q WHERE q.tenant = :tenant AND q.name = 'workflows'

-- name: list_usage
SELECT u.day, u.workflow, u.instances, u.tasks, u.failed, u.task_s, u.cpu_s, u.log_mb FROM qflow.usage_day u
WHERE u.tenant = :tenant AND u.day BETWEEN CAST(:first AS {date_cast}) AND CAST(:last AS {date_cast})
    AND (u.day > CAST(:after_day AS {date_cast}) OR (u.day = CAST(:after_day AS {date_cast}) AND u.workflow > :after_workflow))
ORDER BY u.day, u.workflow LIMIT {literal: batch}

-- name: list_unmetered
-- Whose usage is to be added up; what another daemon adds up is skipped.
SELECT i.id, i.tenant, COALESCE((SELECT d.workflow FROM qflow.workflow_definition d WHERE d.id = i.definition_id), i.job) AS workflow,
    i.finished_at, CASE WHEN i.metered_until IS NULL THEN 1 ELSE 0 END AS is_new
FROM qflow.workflow_instance i WHERE i.meter = 2 ORDER BY i.tenant, i.id LIMIT {literal: batch} {lock}

-- name: find_unmetered
SELECT MIN(i.tenant) AS tenant FROM qflow.workflow_instance i WHERE i.meter = 2

-- name: mark_metered
-- What runs of it later, after a retry, is later than this.
{update: qflow.workflow_instance i, id bigint | i.id = d.id}
meter = NULL, metered_until = :now

-- name: sum_attempts
SELECT r.part, COUNT(*) AS tasks, SUM(CASE WHEN a.state = {task.FAILED} THEN 1 ELSE 0 END) AS failed,
    COALESCE(SUM({seconds: a.started_at, a.finished_at}), 0) AS task_s, COALESCE(SUM(a.cpu_s), 0) AS cpu_s
FROM {rows: part int, base bigint, ids numbers} r CROSS JOIN {each: r.ids} AS n
JOIN qflow.workflow_instance i ON i.id = r.base + n.value
JOIN qflow.attempt a {only: mysql FORCE INDEX (PRIMARY)} ON a.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.metered_until IS NULL OR a.finished_at > i.metered_until GROUP BY r.part

-- name: sum_successes
-- Those that left no row of `attempt`, as most do.
SELECT r.part, COUNT(*) AS tasks, COALESCE(SUM({seconds: t.started_at, t.finished_at}), 0) AS task_s
FROM {rows: part int, base bigint, ids numbers} r CROSS JOIN {each: r.ids} AS n
JOIN qflow.workflow_instance i ON i.id = r.base + n.value
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE t.state = {task.SUCCESS} AND t.kind <> {kind.HEAD} AND t.started_at IS NOT NULL
    AND (i.metered_until IS NULL OR t.finished_at > i.metered_until)
    AND NOT EXISTS (SELECT 1 FROM qflow.attempt a WHERE a.task_id = t.id AND a.fence = t.done_fence)
    AND NOT EXISTS (SELECT 1 FROM qflow.spawner s WHERE s.task_id = t.id)
GROUP BY r.part

-- name: sum_log_lines
SELECT r.part, SUM({only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(g.message)) AS bytes
FROM {rows: part int, base bigint, ids numbers} r CROSS JOIN {each: r.ids} AS n
JOIN qflow.workflow_instance i ON i.id = r.base + n.value
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} ON g.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
WHERE i.metered_until IS NULL OR g.logged_at > i.metered_until GROUP BY r.part

-- name: add_usage
INSERT INTO qflow.usage_day (tenant, day, workflow, instances, tasks, failed, task_s, cpu_s, log_mb)
SELECT r.tenant, r.day, r.workflow, r.instances, r.tasks, r.failed, r.task_s, r.cpu_s, r.log_mb
FROM {rows: tenant text, day date, workflow text, instances bigint, tasks bigint, failed bigint, task_s double, cpu_s double,
    log_mb double} r WHERE 1 = 1
{upsert: tenant, day, workflow} instances = usage_day.instances + {excluded: instances}, tasks = usage_day.tasks + {excluded: tasks},
    failed = usage_day.failed + {excluded: failed}, task_s = usage_day.task_s + {excluded: task_s},
    cpu_s = usage_day.cpu_s + {excluded: cpu_s}, log_mb = usage_day.log_mb + {excluded: log_mb}

-- name: list_tenant_names
SELECT x.name FROM qflow.tenant x ORDER BY x.name LIMIT {literal: batch}
