-- wait_reason says an instant in UTC, whatever the session's zone.
{only: sqlite DROP VIEW IF EXISTS qflow.tasks}
;
{replace_view} qflow.tasks AS
SELECT t.id, i.id AS instance_id, d.workflow, COALESCE(n.task, i.job) AS task, t.map_index,
    {words: kind t.kind} AS kind, l.job, l.pool, {words: task t.state} AS state, {words: reason t.reason} AS reason,
    t.attempt, COALESCE(p.params, n.params, CASE WHEN n.task IS NULL THEN i.params END) AS params, t.output,
    CASE WHEN t.state <> {task.SUCCESS} THEN
        (SELECT a.error FROM qflow.attempt a WHERE a.task_id = t.id ORDER BY a.fence DESC LIMIT 1) END AS error,
    w.name AS daemon, {instant: i.created_at} AS created_at, {instant: t.ready_at} AS ready_at,
    {instant: t.started_at} AS started_at, {instant: t.finished_at} AS finished_at,
    {seconds: t.started_at, t.finished_at} AS duration_s,
    CASE WHEN t.state = {task.PENDING} AND t.need > 0 THEN {concat: 'waits for tasks before it: ', t.open_parents}
        WHEN t.state = {task.PENDING} THEN
            (SELECT {concat: 'waits until ', {utc_text: m.due_at}, CASE WHEN m.note IS NULL THEN '' ELSE {concat: ': ', m.note} END}
            FROM qflow.timer m WHERE m.task_id = t.id AND m.purpose = 0)
        WHEN t.state = {task.HELD} THEN 'the instance is paused'
        WHEN t.state <> {task.READY} THEN NULL
        WHEN l.is_paused = 1 THEN {concat: 'the job is paused: ', l.job}
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon x WHERE x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN 'no daemon is running'
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon_job k JOIN qflow.daemon x ON x.id = k.daemon_id
            WHERE k.job = l.job AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN {concat: 'no live daemon knows job ', l.job}
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon_pool k JOIN qflow.daemon x ON x.id = k.daemon_id
            WHERE k.pool = l.pool AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN {concat: 'no live daemon has pool ', l.pool}
        ELSE {concat: 'waits for a free slot in pool ', l.pool} END AS wait_reason, i.tenant,
    CASE WHEN g.total > 0 THEN g.done / g.total END AS progress, g.done AS progress_done, g.total AS progress_total,
    g.message AS progress_text
FROM qflow.workflow_instance i
JOIN qflow.task_instance t ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.task_input p ON p.task_id = t.id
LEFT JOIN qflow.daemon w ON w.id = t.owner
-- Of the attempt that runs, or ran last; an earlier one's says nothing about this.
LEFT JOIN qflow.task_progress g ON g.task_id = t.id AND g.fence = COALESCE(t.done_fence, t.fence)
