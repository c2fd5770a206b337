-- Admission: from a submission to an instance and its task rows. Every INSERT leaves rows whose key is there: replay is safe.

-- name: find_version
SELECT v.id, v.state, v.replaced, v.faults FROM qflow.workflow_version v
WHERE v.definition_id = :definition_id AND v.version = :version

-- name: load_version
SELECT v.id, v.document, d.id AS definition_id, d.workflow, d.tenant FROM qflow.workflow_version v
JOIN qflow.workflow_definition d ON d.id = v.definition_id WHERE v.id = :id

-- name: insert_lane
INSERT INTO qflow.lane (tenant, pool, job, limits)
SELECT r.tenant, r.pool, r.job, r.limits FROM {rows: tenant text, pool text, job text, limits text} r WHERE 1 = 1
{ignored: lane.limits}

-- name: find_lanes
SELECT l.id, l.tenant, l.pool, l.job, l.limits FROM {rows: tenant text, pool text, job text, limits text} r
JOIN qflow.lane l ON l.tenant = r.tenant AND l.pool = r.pool AND l.job = r.job AND l.limits = r.limits

-- name: insert_run_key
INSERT INTO qflow.run_key (tenant, purpose, run_key, instance_id, content_hash)
VALUES (:tenant, :purpose, :run_key, :instance_id, :content_hash) {ignored: run_key.purpose}

-- name: find_run_key
SELECT instance_id, content_hash FROM qflow.run_key WHERE tenant = :tenant AND purpose = :purpose AND run_key = :run_key

-- name: take_dates
INSERT INTO qflow.dated_run (definition_id, business_date, instance_id)
SELECT r.definition_id, r.business_date, r.instance_id
FROM {rows: definition_id bigint, business_date date, instance_id bigint} r WHERE 1 = 1 {ignored: dated_run.instance_id}

-- name: list_date_holders
-- A statement of its own, so that it sees the instance of whoever was waited for. Who has taken a date just now has no row yet.
SELECT h.definition_id, h.business_date, h.instance_id, i.state, i.started_at, i.schedule
FROM {rows: definition_id bigint, business_date date, instance_id bigint} r
JOIN qflow.dated_run h ON h.definition_id = r.definition_id AND h.business_date = r.business_date
LEFT JOIN qflow.workflow_instance i ON i.id = h.instance_id

-- name: take_over_dates
{update: qflow.dated_run h, definition_id bigint, business_date date, instance_id bigint, former bigint
    | h.definition_id = d.definition_id AND h.business_date = d.business_date AND h.instance_id = d.former}
instance_id = d.instance_id

-- name: free_date
DELETE FROM qflow.dated_run
WHERE definition_id = :definition_id AND business_date = CAST(:business_date AS {date_cast}) AND instance_id = :instance_id

-- name: find_date_holder
SELECT h.instance_id, i.state, i.started_at, i.schedule FROM qflow.dated_run h
LEFT JOIN qflow.workflow_instance i ON i.id = h.instance_id
WHERE h.definition_id = :definition_id AND h.business_date = CAST(:business_date AS {date_cast})

-- name: insert_instances
-- Which backfill it is of is asked of none but those that say they are of one.
INSERT INTO qflow.workflow_instance (id, tenant, version_id, job, name, state, open_closers, next_ordinal, priority,
    business_date, trigger_type, schedule, fire_at, params, overrides, deadline_at, created_at, started_at, concurrency_key,
    default_pool, definition_id, meter, backfill, updated_at)
SELECT r.id, r.tenant, r.version_id, r.job, r.name, r.state, r.open_closers, r.next_ordinal, r.priority, r.business_date,
    r.trigger_type, r.schedule, r.fire_at, r.params, r.overrides, r.deadline_at, r.created_at, r.started_at,
    r.concurrency_key, r.default_pool,
    (SELECT v.definition_id FROM qflow.workflow_version v WHERE v.id = r.version_id), r.meter,
    CASE WHEN r.trigger_type = 'backfill' THEN (SELECT x.backfill_id FROM qflow.backfill_date x WHERE x.submission_id = r.id) END, :now
FROM {rows: id bigint, tenant text, version_id bigint, job text, name text, state smallint, open_closers int, next_ordinal int,
    priority smallint, business_date date, trigger_type text, schedule text, fire_at instant, params text, overrides text,
    deadline_at instant, created_at instant, started_at instant, concurrency_key text, default_pool text,
    meter smallint} r WHERE 1 = 1
{ignored: workflow_instance.priority}

-- name: insert_tasks
-- Thousands of rows begin alike: what they share is sent once, with the list of their ordinals.
INSERT INTO qflow.task_instance (id, node, kind, state, lane, priority, open_parents, need, ready_at)
SELECT r.first_id + n.value, n.value, r.kind, r.state, r.lane, r.priority, r.open_parents, r.need, r.ready_at
FROM {rows: first_id bigint, nodes numbers, kind smallint, state smallint, lane int, priority smallint, open_parents int, need int,
    ready_at instant} r CROSS JOIN {each: r.nodes} AS n
WHERE {only: postgres (SELECT t.id FROM qflow.task_instance t WHERE t.id = r.first_id) IS NULL}
{only: sqlite,mysql 1 = 1 {ignored: task_instance.node}}

-- name: insert_claimed_tasks
-- Ready rows that are ours from the start, if no other is READY and no lane is paused. A row that is there already is an error.
INSERT INTO qflow.task_instance (id, node, kind, state, lane, priority, owner, fence, open_parents, need, ready_at, started_at)
SELECT r.id, r.node, r.kind, r.state, r.lane, r.priority, :owner, 1, 0, 0, r.ready_at, r.started_at
FROM {rows: id bigint, node int, kind smallint, state smallint, lane int, priority smallint, ready_at instant, started_at instant} r
WHERE NOT EXISTS (SELECT 1 FROM qflow.lane l WHERE l.is_paused <> 0) AND NOT EXISTS (
    SELECT 1 FROM qflow.task_instance t {only: mysql FORCE INDEX (task_instance_claim)} WHERE t.state = {task.READY})

-- name: insert_timers
INSERT INTO qflow.timer (task_id, purpose, fence, due_at)
SELECT r.task_id, r.purpose, r.fence, r.due_at
FROM {rows: task_id bigint, purpose smallint, fence int, due_at instant} r WHERE 1 = 1
{upsert: task_id, purpose} fence = {excluded: fence}, due_at = {excluded: due_at}

-- name: note_timers
-- Why a task put itself off.
{update: qflow.timer m, task_id bigint, note text | m.task_id = d.task_id AND m.purpose = 0}
note = d.note

-- name: release_instance
-- One that was submitted with hold, or waited for its turn, begins: the row count says who did it.
UPDATE qflow.workflow_instance SET state = {instance.RUNNING}, started_at = :now, updated_at = :now, deadline_at = :deadline_at,
    concurrency_key = :concurrency_key
WHERE id = :id AND state = {instance.READY}

-- name: fire_of_submission
SELECT f.name, f.fire_at, s.session_time FROM qflow.schedule_fire f
LEFT JOIN qflow.schedule s ON s.definition_id = f.definition_id AND s.name = f.name WHERE f.instance_id = :id
