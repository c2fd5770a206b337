-- Maps: a head is the own row of its node; it waits for the rows of its items, whose ordinals follow one another.

-- name: load_fan_outs
SELECT f.task_id, f.first_ordinal, f.items, f.opened, f.gated, f.gate, t.node, t.round, t.state, t.open_parents
FROM {rows: id bigint} r JOIN qflow.fan_out f ON f.task_id = r.id JOIN qflow.task_instance t ON t.id = r.id

-- name: list_fan_outs
SELECT f.task_id, f.first_ordinal, f.items FROM qflow.fan_out f WHERE f.task_id BETWEEN :first AND :last

-- name: lock_heads
SELECT t.id, t.state, t.reason FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN qflow.task_instance t FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.task_instance t} ON t.id = r.id
ORDER BY t.id {only: postgres FOR UPDATE OF t}{only: mysql FOR UPDATE}

-- name: list_ended
SELECT t.id, t.state, t.reason FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
WHERE t.id BETWEEN :first AND :last AND t.state >= {task.SUCCESS}

-- name: load_place
SELECT t.node, t.map_index FROM qflow.task_instance t WHERE t.id = :id

-- name: list_gated
-- Items that start anew and wait for a place.
SELECT t.id FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
WHERE t.id BETWEEN :first AND :last AND t.state = {task.PENDING} AND t.need >= :gate ORDER BY t.id LIMIT {literal: batch}

-- name: list_unmet
-- Rows that are ready only to end: their parents have ended, and not in their favour.
SELECT t.id, t.bad_parents FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id WHERE t.need > 0

-- name: begin_heads
-- Maps before them have lists now. One whose other parents did not end in its favour ends when it is claimed.
{update: qflow.task_instance t, id bigint, arrivals int | t.id = d.id}
ready_at = CASE WHEN t.state = {task.PENDING} AND t.need > 0 AND t.open_parents <= d.arrivals THEN :now ELSE t.ready_at END,
state = CASE WHEN t.state = {task.PENDING} AND t.need > 0 AND t.open_parents <= d.arrivals THEN {task.READY} ELSE t.state END,
open_parents = t.open_parents - d.arrivals, need = t.need - d.arrivals

-- name: give_places
{update: qflow.task_instance t, id bigint | t.id = d.id AND t.need >= :gate}
ready_at = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= 1 THEN :now ELSE t.ready_at END,
state = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= 1 THEN {task.READY} ELSE t.state END,
open_parents = t.open_parents - 1, need = t.need - :gate

-- name: set_places
{update: qflow.fan_out f, task_id bigint, gated int, gate int | f.task_id = d.task_id}
gated = d.gated, gate = d.gate

-- name: load_next_ordinals
SELECT i.id, i.next_ordinal, (SELECT x.revision FROM qflow.tenant x WHERE x.name = i.tenant) AS tenant_revision
FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id

-- name: expand_heads
-- A head that was claimed waits again, now for its items.
{update: qflow.task_instance t, id bigint, fence int, open_parents int, need int, bad_parents int | t.id = d.id AND t.fence = d.fence}
state = {task.PENDING}, owner = NULL, open_parents = d.open_parents, need = d.need, bad_parents = d.bad_parents,
started_at = COALESCE(t.started_at, :now), fence = t.fence + 1

-- name: count_ended_items
SELECT t.state, COUNT(*) AS items FROM qflow.task_instance t
WHERE t.id BETWEEN :first AND :last AND t.state >= {task.SUCCESS} GROUP BY t.state

-- name: insert_items
-- In a lane without a pool they start workflows. A `lane` that is null is that of their head.
INSERT INTO qflow.task_instance (id, node, map_index, kind, state, lane, priority, open_parents, need, bad_parents, round, ready_at)
SELECT r.first_id + n.value, h.node, n.value, CASE WHEN l.pool = '' THEN {kind.CHILD} ELSE {kind.TASK} END, r.state,
    COALESCE(r.lane, h.lane), h.priority, r.open_parents, r.need, r.bad_parents, h.round, r.ready_at
FROM {rows: head_id bigint, first_id bigint, lane int, state smallint, open_parents int, need int, bad_parents int, ready_at instant,
    indexes numbers} r JOIN qflow.task_instance h ON h.id = r.head_id
JOIN qflow.lane l ON l.id = h.lane CROSS JOIN {each: r.indexes} AS n WHERE 1 = 1
{ignored: task_instance.node}

-- name: insert_labelled_items
INSERT INTO qflow.task_instance (id, node, map_index, label, kind, state, lane, priority, open_parents, need, bad_parents, round, ready_at)
SELECT r.first_id + r.map_index, h.node, r.map_index, r.label, CASE WHEN l.pool = '' THEN {kind.CHILD} ELSE {kind.TASK} END, r.state,
    COALESCE(r.lane, h.lane), h.priority, r.open_parents, r.need, r.bad_parents, h.round, r.ready_at
FROM {rows: head_id bigint, first_id bigint, lane int, map_index int, label text, state smallint, open_parents int, need int, bad_parents int,
    ready_at instant} r JOIN qflow.task_instance h ON h.id = r.head_id
JOIN qflow.lane l ON l.id = h.lane
WHERE 1 = 1
{ignored: task_instance.node}

-- name: save_fan_outs
INSERT INTO qflow.fan_out (task_id, first_ordinal, items, opened, gated, gate)
SELECT r.task_id, r.first_ordinal, r.items, r.opened, r.gated, r.gate
FROM {rows: task_id bigint, first_ordinal int, items int, opened int, gated int, gate int} r WHERE 1 = 1
{upsert: task_id} first_ordinal = {excluded: first_ordinal}, items = {excluded: items}, opened = {excluded: opened},
    gated = {excluded: gated}, gate = {excluded: gate}

-- name: reserve_ordinals
-- Hits no row where another transaction was faster: this one is run again.
{update: qflow.workflow_instance i, id bigint, next_before int, next_after int | i.id = d.id AND i.next_ordinal = d.next_before}
next_ordinal = d.next_after

-- name: advance_heads
-- Its items have ended: it ends when it has heard of all of them.
{update: qflow.task_instance t, id bigint, arrivals int, gain int, bad int | t.id = d.id}
done_fence = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals THEN t.fence ELSE t.done_fence END,
fence = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals THEN t.fence + 1 ELSE t.fence END,
attempt = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals THEN t.attempt + 1 ELSE t.attempt END,
reason = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals AND t.need > d.gain THEN {reason.ERROR} ELSE t.reason END,
finished_at = CASE WHEN t.state = {task.PENDING} AND t.open_parents <= d.arrivals THEN :now ELSE t.finished_at END,
state = CASE WHEN t.state <> {task.PENDING} OR t.open_parents > d.arrivals THEN t.state WHEN t.need > d.gain THEN {task.FAILED}
    ELSE {task.SUCCESS} END,
open_parents = t.open_parents - d.arrivals, need = t.need - d.gain, bad_parents = t.bad_parents + d.bad

-- name: find_ended_heads
SELECT t.id, t.state, t.reason, t.node, t.kind, t.round, t.done_fence, t.attempt, t.bad_parents, t.started_at, f.first_ordinal, f.items
FROM {rows: id bigint} r JOIN qflow.task_instance t ON t.id = r.id JOIN qflow.fan_out f ON f.task_id = r.id
WHERE t.state IN ({task.SUCCESS}, {task.FAILED}) AND t.open_parents <= 0

-- name: first_failed_item
-- One that failed itself, before those that could not run.
SELECT t.node, t.map_index, t.label, t.state, a.error FROM qflow.task_instance t
LEFT JOIN qflow.attempt a ON a.task_id = t.id AND a.fence = t.done_fence
WHERE t.id BETWEEN :first AND :last AND t.state IN ({task.FAILED}, {task.UPSTREAM_FAILED})
ORDER BY CASE WHEN t.state = {task.FAILED} THEN 0 ELSE 1 END, t.id LIMIT 1

-- name: load_item_outputs
SELECT t.id, t.map_index, t.output, l.task_id AS large_id FROM qflow.fan_out f
JOIN qflow.task_instance t ON t.id BETWEEN :first + f.first_ordinal AND :first + f.first_ordinal + f.items - 1
LEFT JOIN qflow.large_value l ON l.task_id = t.id AND l.part = 0
WHERE f.task_id = :head_id AND t.id > :after ORDER BY t.id LIMIT {literal: batch}

-- name: delete_fan_outs
{delete: qflow.fan_out f, task_id bigint | f.task_id = d.task_id}
