-- Spawned tasks: rows that a task asked for while it ran. Its own row waits for them after its success; an edge leads from
-- each of them back to it, and from each to those that come after it.

-- name: load_spawners
SELECT t.id, t.label, t.map_index, s.depth FROM {rows: id bigint} r
JOIN qflow.task_instance t ON t.id = r.id LEFT JOIN qflow.spawned s ON s.task_id = t.id

-- name: name_jobs
SELECT j.name FROM qflow.job j ORDER BY j.name LIMIT 20

-- name: await_spawned
-- Accepted a moment ago in this transaction, and not at its end yet. Parents of it may still end; `need` makes them harmless.
{update: qflow.task_instance t, id bigint, fence int | t.id = d.id AND t.fence = d.fence}
state = {task.PENDING}, owner = NULL, finished_at = NULL, need = 0

-- name: insert_spawned_tasks
INSERT INTO qflow.task_instance (id, node, map_index, label, kind, state, lane, priority, open_parents, need, round, ready_at)
SELECT r.id, h.node, r.map_index, r.label, {kind.SPAWNED}, r.state, r.lane, r.priority, r.waits, r.waits, h.round, r.ready_at
FROM {rows: id bigint, spawner bigint, map_index int, label text, state smallint, lane int, priority smallint, waits int,
    ready_at instant} r JOIN qflow.task_instance h ON h.id = r.spawner WHERE 1 = 1
{ignored: task_instance.node}

-- name: insert_spawned
INSERT INTO qflow.spawned (task_id, name, settings, depth)
SELECT r.task_id, r.name, r.settings, r.depth FROM {rows: task_id bigint, name text, settings text, depth smallint} r
WHERE 1 = 1 {ignored: spawned.name}

-- name: save_spawners
INSERT INTO qflow.spawner (task_id, first_ordinal, tasks, returned, open_tasks, bad_tasks)
SELECT r.task_id, r.first_ordinal, r.tasks, r.returned, r.tasks, 0
FROM {rows: task_id bigint, first_ordinal int, tasks int, returned smallint} r WHERE 1 = 1
{upsert: task_id} first_ordinal = {excluded: first_ordinal}, tasks = {excluded: tasks}, returned = {excluded: returned},
    open_tasks = {excluded: open_tasks}, bad_tasks = {excluded: bad_tasks}

-- name: insert_task_inputs
INSERT INTO qflow.task_input (task_id, params) SELECT r.task_id, r.params FROM {rows: task_id bigint, params text} r
WHERE 1 = 1 {ignored: task_input.params}

-- name: load_spawned
SELECT s.task_id, s.settings, p.params FROM {rows: id bigint} r
JOIN qflow.spawned s ON s.task_id = r.id JOIN qflow.task_input p ON p.task_id = r.id

-- name: load_spawned_settings
SELECT s.task_id, s.settings, l.job FROM {rows: id bigint} r
JOIN qflow.spawned s ON s.task_id = r.id JOIN qflow.task_instance t ON t.id = r.id JOIN qflow.lane l ON l.id = t.lane

-- name: load_spawned_sources
-- The tasks that each of these comes after; the tasks that it spawned itself have greater ids.
SELECT e.child, t.id, s.name, t.state, t.output, t.fence, t.round, l.task_id AS large_id FROM {rows: id bigint} r
JOIN qflow.instance_edge e ON e.child = r.id AND e.parent < r.id JOIN qflow.spawned s ON s.task_id = e.parent
JOIN qflow.task_instance t ON t.id = e.parent LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0

-- name: advance_spawners
-- Some of what they spawned has ended. lock_heads has locked their rows.
{update: qflow.spawner s, task_id bigint, arrivals int, bad int | s.task_id = d.task_id}
open_tasks = s.open_tasks - d.arrivals, bad_tasks = s.bad_tasks + d.bad

-- name: find_ended_spawners
-- Those that wait, and have heard of all that they spawned.
SELECT t.id, t.state, t.reason, t.node, t.kind, t.round, t.fence, t.attempt, t.started_at,
    s.first_ordinal, s.tasks, s.returned, s.bad_tasks
FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id JOIN qflow.spawner s ON s.task_id = r.id
WHERE t.state = {task.PENDING} AND t.done_fence IS NOT NULL AND s.open_tasks <= 0

-- name: end_spawners
-- A success keeps the fence of its attempt; a failure has one of its own.
{update: qflow.task_instance t, id bigint, state smallint, reason smallint, raised int | t.id = d.id}
state = d.state, reason = d.reason, finished_at = :now,
done_fence = CASE WHEN d.raised = 1 THEN t.fence ELSE t.done_fence END, fence = t.fence + d.raised

-- name: save_outputs
{update: qflow.task_instance t, id bigint, output text | t.id = d.id}
output = d.output

-- name: list_spawned
SELECT t.id, s.name, t.state, t.output, l.task_id AS large_id FROM qflow.task_instance t
JOIN qflow.spawned s ON s.task_id = t.id LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0
WHERE t.id BETWEEN :first AND :last ORDER BY t.id

-- name: list_spawners
SELECT s.task_id, s.first_ordinal, s.tasks, s.returned FROM qflow.spawner s WHERE s.task_id BETWEEN :first AND :last

-- name: await_again
-- Of a task some of whose spawned tasks start anew; it does not run again, so its fence stays. What it returned itself is kept.
{update: qflow.task_instance t, id bigint, returned smallint | t.id = d.id}
state = {task.PENDING}, need = 0, finished_at = NULL, owner = NULL, reason = 0, done_fence = t.fence - 1, round = :round,
output = CASE WHEN d.returned = 1 THEN t.output END

-- name: recount_spawners
{update: qflow.spawner s, task_id bigint, open_tasks int, bad_tasks int | s.task_id = d.task_id}
open_tasks = d.open_tasks, bad_tasks = d.bad_tasks

-- name: delete_spawners
{delete: qflow.spawner s, task_id bigint | s.task_id = d.task_id}

-- name: delete_spawned
{delete: qflow.spawned s, task_id bigint | s.task_id = d.task_id}

-- name: delete_task_inputs
{delete: qflow.task_input p, task_id bigint | p.task_id = d.task_id}

-- name: delete_edges_from
{delete: qflow.instance_edge e, parent bigint | e.parent = d.parent}
