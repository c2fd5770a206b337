-- Tasks that start an instance of another workflow and wait for its end, and their compensations: their lanes have the pool ''.

-- name: load_children
-- The instances that these tasks have started before, and continue. One that has been undone, or never began, has nothing left.
SELECT c.task_id, c.instance_id, i.state FROM {rows: id bigint} r
JOIN qflow.child c ON c.task_id = r.id AND c.is_current = 1
JOIN qflow.workflow_instance i ON i.id = c.instance_id AND i.started_at IS NOT NULL
    AND i.saga_state <> {saga.COMPENSATED}

-- name: list_children_to_undo
-- Of the tasks that these compensations undo: the instances that they have started, that began, and that are not undone.
-- `running`: others that take turns with it, and run or are about to be undone.
SELECT k.task_id, k.target, i.id AS instance_id, i.tenant, i.version_id, i.state, i.saga_state, i.concurrency_key, c.depth,
    (SELECT COUNT(*) FROM qflow.workflow_instance o WHERE o.concurrency_key = i.concurrency_key AND o.id <> i.id
        AND (o.state IN ({instance.RUNNING}, {instance.PAUSED})
            OR EXISTS (SELECT 1 FROM qflow.child x WHERE x.instance_id = o.id AND x.is_open = 1))) AS running
FROM {rows: id bigint} r
JOIN qflow.compensation k ON k.task_id = r.id
JOIN qflow.child c ON c.task_id = k.target
JOIN qflow.workflow_instance i ON i.id = c.instance_id AND i.started_at IS NOT NULL AND i.saga_state <> {saga.COMPENSATED}
JOIN qflow.workflow_version v ON v.id = i.version_id AND v.saga = 1
ORDER BY k.task_id, i.id

-- name: save_children
INSERT INTO qflow.child (task_id, instance_id, parent_id, fence, depth, is_open, is_current, command_id, created_at)
SELECT r.task_id, r.instance_id, r.parent_id, r.fence, r.depth, 1, 1, r.command_id, :now
FROM {rows: task_id bigint, instance_id bigint, parent_id bigint, fence int, depth smallint, command_id bigint} r WHERE 1 = 1
{upsert: task_id, instance_id} fence = {excluded: fence}, is_open = 1, asked = 0, command_id = {excluded: command_id}

-- name: lock_startable
-- Which of these instances let tasks start; they stay so until this transaction has ended.
SELECT i.id FROM {rows: id bigint} r JOIN qflow.workflow_instance i ON i.id = r.id
WHERE i.state = {instance.RUNNING} AND i.intent NOT IN ({intent.TERMINATE}, {intent.PAUSE}, {intent.ABORT})
ORDER BY i.id {only: postgres FOR SHARE OF i}{only: mysql LOCK IN SHARE MODE}

-- name: list_ended_children
-- Instances that have ended, or were refused (`state` is null), and whose task may still wait; `now_fence`: of its row.
SELECT c.instance_id, c.task_id, c.fence, c.created_at, i.state, i.reason, i.error, i.version_id, i.saga_state,
    s.error AS refusal, c.command_id, m.error AS command_error,
    t.node, t.kind, t.round, t.attempt, t.fence AS now_fence, l.job AS workflow, p.intent AS parent_intent
FROM qflow.child c
JOIN qflow.task_instance t ON t.id = c.task_id
JOIN qflow.lane l ON l.id = t.lane
JOIN qflow.workflow_instance p ON p.id = c.parent_id
LEFT JOIN qflow.workflow_instance i ON i.id = c.instance_id
LEFT JOIN qflow.submissions s ON s.id = c.instance_id
LEFT JOIN qflow.commands m ON m.id = c.command_id
WHERE c.is_open = 1 AND COALESCE(m.is_open, 0) = 0
    AND (i.state >= {instance.SUCCESS} OR (i.id IS NULL AND COALESCE(s.is_open, 0) = 0)) AND c.instance_id > :after
ORDER BY c.instance_id LIMIT {literal: batch}

-- name: close_children
-- Its fence: the task may have been started anew since its instance was seen to have ended.
{update: qflow.child c, task_id bigint, instance_id bigint, fence int
    | c.task_id = d.task_id AND c.instance_id = d.instance_id AND c.fence = d.fence}
is_open = 0

-- name: list_untold_children
-- Instances whose parent was terminated, paused or resumed, or whose task waits no more, and which were not told so. Tasks
-- with `run_on: terminate` continue after a first termination, those of the instance itself too: a second is passed on.
SELECT c.instance_id, c.task_id, c.parent_id, c.fence, c.asked, i.tenant, CASE
    WHEN p.intent = {intent.ABORT} AND i.intent = {intent.FINALLY} THEN {intent.ABORT}
    WHEN p.intent = {intent.ABORT} OR t.fence <> c.fence
        OR p.intent = {intent.TERMINATE} AND (n.runs_on_terminate = 0 OR t.kind = {kind.COMPENSATION}) THEN {intent.TERMINATE}
    WHEN p.state = {instance.PAUSED} AND p.intent <> {intent.TERMINATE} THEN {intent.PAUSE} ELSE {intent.RESUME} END AS intent
FROM qflow.child c
JOIN qflow.task_instance t ON t.id = c.task_id
JOIN qflow.workflow_instance p ON p.id = c.parent_id
JOIN qflow.workflow_node n ON n.version_id = p.version_id AND n.node = t.node
JOIN qflow.workflow_instance i ON i.id = c.instance_id
WHERE c.is_open = 1 AND i.state < {instance.SUCCESS} AND c.asked <> {intent.ABORT} AND (
    p.intent = {intent.ABORT} AND i.intent = {intent.FINALLY} OR c.asked <> {intent.TERMINATE} AND (
    p.intent = {intent.ABORT} OR t.fence <> c.fence
    OR p.intent = {intent.TERMINATE} AND (n.runs_on_terminate = 0 OR t.kind = {kind.COMPENSATION})
    OR p.state = {instance.PAUSED} AND p.intent <> {intent.TERMINATE} AND i.state = {instance.RUNNING} AND c.asked <> {intent.PAUSE}
    OR (p.state = {instance.RUNNING} OR p.intent = {intent.TERMINATE}) AND c.asked = {intent.PAUSE}))
ORDER BY c.instance_id LIMIT {literal: batch}

-- name: tell_child
-- The row count says whether another daemon was faster, or has started the task anew.
UPDATE qflow.child SET asked = :intent
WHERE task_id = :task_id AND instance_id = :instance_id AND fence = :fence AND asked = :asked AND is_open = 1

-- name: list_open_children
SELECT c.task_id, c.instance_id FROM qflow.child c WHERE c.task_id BETWEEN :first AND :last AND c.is_open = 1

-- name: forget_children
-- These tasks are run anew, and start other instances.
{update: qflow.child c, task_id bigint | c.task_id = d.task_id}
is_current = 0

-- name: count_open_children
SELECT COUNT(*) AS children FROM (SELECT c.instance_id FROM qflow.child c WHERE c.is_open = 1 LIMIT 1) AS first_open
