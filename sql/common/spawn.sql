-- Spawned tasks: rows that a task asked for while it ran. Its own row waits for them after its success; an edge leads from
-- each of them back to it, and from each to those that come after it.

-- name: load_spawners
SELECT t.id, t.label, t.map_index, s.depth FROM {rows: id bigint} r
JOIN qflow.task_instance t ON t.id = r.id LEFT JOIN qflow.spawned s ON s.task_id = t.id

-- name: name_jobs
SELECT j.name FROM qflow.job j ORDER BY j.name LIMIT 20

-- name: await_spawned
-- Accepted a moment ago in this transaction, and not at its end yet.
{update: qflow.task_instance t, id bigint, fence int, waits int | t.id = d.id AND t.fence = d.fence}
state = {task.PENDING}, owner = NULL, finished_at = NULL, open_parents = d.waits, need = d.waits, bad_parents = 0

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
INSERT INTO qflow.spawner (task_id, first_ordinal, tasks, returned)
SELECT r.task_id, r.first_ordinal, r.tasks, r.returned
FROM {rows: task_id bigint, first_ordinal int, tasks int, returned smallint} r WHERE 1 = 1
{upsert: task_id} first_ordinal = {excluded: first_ordinal}, tasks = {excluded: tasks}, returned = {excluded: returned}

-- name: insert_task_inputs
INSERT INTO qflow.task_input (task_id, params) SELECT r.task_id, r.params FROM {rows: task_id bigint, params text} r
WHERE 1 = 1 {ignored: task_input.params}

-- name: load_spawned
SELECT s.task_id, s.settings, p.params FROM {rows: id bigint} r
JOIN qflow.spawned s ON s.task_id = r.id JOIN qflow.task_input p ON p.task_id = r.id

-- name: load_spawned_sources
-- The tasks that each of these comes after; the tasks that it spawned itself have greater ids.
SELECT e.child, t.id, s.name, t.state, t.output, t.fence, l.task_id AS large_id FROM {rows: id bigint} r
JOIN qflow.instance_edge e ON e.child = r.id AND e.parent < r.id JOIN qflow.spawned s ON s.task_id = e.parent
JOIN qflow.task_instance t ON t.id = e.parent LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0

-- name: advance_spawners
-- What they spawned has ended: they end when they have heard of all of it. A success keeps the fence of its attempt.
{update: qflow.task_instance t, id bigint, arrivals int, gain int, bad int | t.id = d.id}
done_fence = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals AND t.need > d.gain THEN t.fence ELSE t.done_fence END,
fence = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals AND t.need > d.gain THEN t.fence + 1 ELSE t.fence END,
reason = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals AND t.need > d.gain THEN {reason.ERROR} ELSE t.reason END,
finished_at = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals THEN :now ELSE t.finished_at END,
state = CASE WHEN t.state <> {task.PENDING} OR t.open_parents > d.arrivals THEN t.state WHEN t.need > d.gain THEN {task.FAILED}
    ELSE {task.SUCCESS} END,
open_parents = t.open_parents - d.arrivals, need = t.need - d.gain, bad_parents = t.bad_parents + d.bad

-- name: find_ended_spawners
SELECT t.id, t.state, t.reason, t.node, t.kind, t.round, t.fence, t.done_fence, t.attempt, t.bad_parents, t.started_at,
    s.first_ordinal, s.tasks, s.returned
FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id JOIN qflow.spawner s ON s.task_id = r.id
WHERE t.state IN ({task.SUCCESS}, {task.FAILED}) AND t.open_parents <= 0

-- name: fail_spawners
{update: qflow.task_instance t, id bigint, fence int | t.id = d.id AND t.fence = d.fence}
state = {task.FAILED}, reason = {reason.ERROR}, done_fence = d.fence, fence = d.fence + 1

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
{update: qflow.task_instance t, id bigint, open_parents int, need int, bad_parents int, returned smallint | t.id = d.id}
state = {task.PENDING}, open_parents = d.open_parents, need = d.need, bad_parents = d.bad_parents, finished_at = NULL,
owner = NULL, reason = 0, done_fence = t.fence - 1, round = :round, output = CASE WHEN d.returned = 1 THEN t.output END

-- name: delete_spawners
{delete: qflow.spawner s, task_id bigint | s.task_id = d.task_id}

-- name: delete_spawned
{delete: qflow.spawned s, task_id bigint | s.task_id = d.task_id}

-- name: delete_task_inputs
{delete: qflow.task_input p, task_id bigint | p.task_id = d.task_id}

-- name: delete_edges_from
{delete: qflow.instance_edge e, parent bigint | e.parent = d.parent}
