-- What daemons look for outside of the database, files and conditions in other databases: who sees it first ends the wait.
-- A row of `file_wait` is a look of either kind. Files were the first; a table keeps its name, as older daemons may still run.

-- name: save_looks
INSERT INTO qflow.file_wait (task_id, fence, pool, wanted)
SELECT r.task_id, r.fence, r.pool, r.wanted FROM {rows: task_id bigint, fence int, pool text, wanted text} r WHERE 1 = 1
{upsert: task_id} fence = {excluded: fence}, is_open = 1, pool = {excluded: pool}, wanted = {excluded: wanted}, remark = NULL, found = NULL

-- name: list_open_looks
-- Of a kind, behind a place. `is_current`: the row still waits for it.
SELECT f.task_id, f.fence, f.pool, f.wanted, f.remark, w.tenant,
    CASE WHEN t.fence = f.fence AND w.fence = f.fence AND w.state < {wait.MET} THEN 1 ELSE 0 END AS is_current
FROM qflow.file_wait f
JOIN qflow.waiter w ON w.task_id = f.task_id
JOIN qflow.task_instance t ON t.id = f.task_id
WHERE f.is_open = 1 AND f.task_id > :after AND w.kind = :kind ORDER BY f.task_id LIMIT {literal: batch}

-- name: meet_seen
{update: qflow.waiter w, task_id bigint, fence int | w.task_id = d.task_id AND w.fence = d.fence}
state = CASE WHEN w.state < {wait.MET} THEN {wait.MET} ELSE w.state END

-- name: save_found
-- What was found first is the output.
{update: qflow.file_wait f, task_id bigint, fence int, found text | f.task_id = d.task_id AND f.fence = d.fence AND f.is_open = 1}
is_open = 0, found = d.found

-- name: note_looks
-- What a daemon says that cannot look, another one that does may have been faster to say.
{update: qflow.file_wait f, task_id bigint, fence int, remark text, can_look smallint | f.task_id = d.task_id AND f.fence = d.fence AND f.is_open = 1}
remark = CASE WHEN d.can_look = 1 THEN d.remark ELSE COALESCE(f.remark, d.remark) END

-- name: close_looks
{update: qflow.file_wait f, task_id bigint, fence int | f.task_id = d.task_id AND f.fence = d.fence}
is_open = 0
