-- What the first page asks. Where COALESCE stands around a tenant, the index that begins with it would be the wrong one.

-- name: list_next_fires
SELECT s.workflow, s.name AS schedule, s.next_fire_at AS at FROM qflow.schedules s
WHERE s.tenant = :tenant AND s.next_fire_at IS NOT NULL ORDER BY s.next_fire_at, s.workflow, s.name LIMIT {literal: batch}

-- name: show_expectations
-- Of workflows that are on, and of which a date has been judged.
SELECT e.definition_id, d.workflow, e.due_by, e.calendar, e.judged_day, d.enabled AS is_on
FROM qflow.expectation e JOIN qflow.workflow_definition d ON d.id = e.definition_id
WHERE d.tenant = :tenant AND d.enabled = 1 AND d.archived_at IS NULL AND e.kind = 0 AND e.judged_day IS NOT NULL ORDER BY e.definition_id

-- name: show_schedules_of_expectations
SELECT s.definition_id, s.cron, s.timezone, s.calendar, s.session_time, s.session_days, s.day_window,
    COALESCE(s.enabled_override, s.enabled) AS is_on
FROM qflow.expectation e JOIN qflow.workflow_definition d ON d.id = e.definition_id
JOIN qflow.schedule s ON s.definition_id = e.definition_id
WHERE d.tenant = :tenant AND e.kind = 0 ORDER BY s.definition_id, s.name

-- name: show_runs_of_dates
-- Of each date the run that counts: the latest that succeeded, or the latest; nothing of a workflow of another tenant.
SELECT r.definition_id, {words: instance i.state} AS state, i.id AS instance_id
FROM {rows: definition_id bigint, business_date date} r
JOIN qflow.workflow_definition d ON d.id = r.definition_id AND d.tenant = :tenant
LEFT JOIN qflow.workflow_instance i ON i.id = COALESCE(
    (SELECT MAX(x.id) FROM qflow.workflow_instance x
        WHERE x.business_date = r.business_date AND x.definition_id = r.definition_id AND x.state = {instance.SUCCESS}),
    (SELECT MAX(x.id) FROM qflow.workflow_instance x WHERE x.business_date = r.business_date AND x.definition_id = r.definition_id))

-- name: count_instances_since
-- Those that have not ended count whenever they began. `first`: the lowest id that one made since then can have.
SELECT {words: instance x.state} AS state, SUM(x.instances) AS instances FROM (
    SELECT i.state, COUNT(*) AS instances FROM qflow.workflow_instance i WHERE i.tenant = :tenant AND i.id >= :first
        AND i.created_at >= :since GROUP BY i.state
    UNION ALL
    SELECT o.state, COUNT(*) AS instances
    FROM qflow.workflow_instance o {only: mysql FORCE INDEX (workflow_instance_open)} {only: sqlite INDEXED BY workflow_instance_open}
    WHERE o.state < {instance.SUCCESS} AND COALESCE(o.tenant, '') = :tenant AND (o.id < :first OR o.created_at < :since)
    GROUP BY o.state) x
GROUP BY x.state

-- name: list_running
SELECT i.id FROM qflow.workflow_instance i {only: mysql FORCE INDEX (workflow_instance_open)} {only: sqlite INDEXED BY workflow_instance_open}
WHERE i.state IN ({instance.RUNNING}, {instance.PAUSED}) AND i.state < {instance.SUCCESS} AND COALESCE(i.tenant, '') = :tenant
ORDER BY i.id DESC LIMIT {literal: batch}

-- name: find_oldest_ready
-- Of the rows that are next in their lanes.
SELECT MIN({instant: t.ready_at}) AS ready_at FROM qflow.lane l
JOIN qflow.task_instance t ON t.id = (SELECT x.id FROM qflow.task_instance x WHERE x.lane = l.id AND x.state = {task.READY}
    ORDER BY x.priority, x.id LIMIT 1)
WHERE l.tenant = :tenant

-- name: list_tokens_that_end
-- Of one principal; of all of a tenant where it is 0.
SELECT t.id, p.name AS principal, t.note, t.expires_at
FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE p.tenant = :tenant AND p.role <= :role AND (:principal_id = 0 OR p.id = :principal_id) AND p.disabled_at IS NULL
    AND t.revoked_at IS NULL AND t.expires_at > :now AND t.expires_at <= :until_at
ORDER BY t.expires_at, t.id LIMIT {literal: batch}

-- name: find_last_daemon
SELECT MAX({instant: w.seen_at}) AS seen_at FROM qflow.daemon w
