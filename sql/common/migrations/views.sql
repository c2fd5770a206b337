-- The public views, as they are now: the newest migration ends by replacing all of them. Words for codes, names for
-- numbers; an instance's rows are reached by key range; the same as an equality lets a database begin with the tasks, and
-- join thousands of instances by hash. Columns are only ever appended.
{only: sqlite DROP VIEW IF EXISTS qflow.task_name}
;
-- Internal: whose a task is that a reason numbers. Another tenant's stays a number.
{replace_view} qflow.task_name AS
SELECT t.id AS task_id, i.tenant, {concat: ' (', CASE WHEN t.kind = {kind.COMPENSATION} THEN 'undo ' ELSE '' END, COALESCE(n.task, i.job),
    CASE WHEN t.map_index IS NULL THEN '' ELSE {concat: '[', COALESCE(t.label, {concat: t.map_index, ''}), ']'} END,
    ' of instance ', i.id, CASE WHEN d.id IS NULL THEN '' ELSE {concat: ' of workflow ', d.workflow} END, ')'} AS name
FROM qflow.task_instance t
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
;
{only: sqlite DROP VIEW IF EXISTS qflow.lane_wait}
;
-- Internal: why ready rows of a lane wait; `slot_reason` where nothing else keeps them. Asked only for lanes with such rows.
{replace_view} qflow.lane_wait AS
SELECT l.id AS lane,
    CASE WHEN l.is_paused = 1 THEN {concat: 'the job is paused: ', l.job}
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon x WHERE x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN 'no daemon is running'
        WHEN l.pool = '' THEN {concat: 'workflow ', l.job, ' is about to be started'}
        WHEN l.pool = '(wait)' THEN 'is about to wait'
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon_job k JOIN qflow.daemon x ON x.id = k.daemon_id
            WHERE k.job = l.job AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN (SELECT CASE WHEN COUNT(*) = 0 THEN {concat: 'no live daemon knows job ', l.job}
                ELSE {concat: 'no live daemon knows job ', l.job, '; plugin files with errors: ', {names: f.file}} END
                FROM (SELECT DISTINCT p.file FROM qflow.plugin p JOIN qflow.daemon x ON x.id = p.daemon_id
                    WHERE p.error IS NOT NULL AND x.state = {daemon.READY} AND x.lease_ends_at > {clock}) f)
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon_pool k JOIN qflow.daemon x ON x.id = k.daemon_id
            WHERE k.pool = l.pool AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN {concat: 'no live daemon has pool ', l.pool}
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon_pool k JOIN qflow.daemon x ON x.id = k.daemon_id
            JOIN qflow.daemon_job o ON o.daemon_id = x.id
            WHERE k.pool = l.pool AND o.job = l.job AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN {concat: 'no live daemon has both pool ', l.pool, ' and job ', l.job}
        WHEN l.limits <> '' THEN (SELECT MIN(CASE WHEN m.weight > k.capacity
                THEN {concat: 'needs ', m.weight, ' slots of limit ', k.name, ', which has ', k.capacity}
                WHEN k.resumes_at > {clock} THEN {concat: 'limit ', k.name, ' is paused',
                    CASE WHEN k.paused_by IS NULL THEN '' ELSE {concat: ' by ', k.paused_by} END,
                    CASE WHEN k.paused_at IS NULL THEN {concat: ' until ', {utc_text: k.resumes_at}}
                        ELSE {concat: ' since ', {utc_text: k.paused_at}} END,
                    CASE WHEN k.pause_reason IS NULL THEN '' ELSE {concat: ': ', k.pause_reason} END}
                WHEN k.tripped_at IS NOT NULL THEN {concat: 'the breaker of limit ', k.name, ' is ', CASE
                    WHEN k.retries_at > {clock} THEN {concat: 'open since ', {utc_text: k.tripped_at}, ' until ', {utc_text: k.retries_at}}
                    WHEN EXISTS (SELECT 1 FROM qflow.task_instance x WHERE x.id = k.probe AND x.fence = k.probe_fence)
                    THEN (SELECT {concat: 'half-open, and task ', x.task_id, CASE WHEN x.tenant = l.tenant THEN x.name ELSE '' END, ' tries'}
                        FROM qflow.task_name x WHERE x.task_id = k.probe) ELSE 'half-open, and one task tries next' END,
                    CASE WHEN k.trip_reason IS NULL THEN '' ELSE {concat: ': ', k.trip_reason} END}
                WHEN k.used + m.weight <= k.capacity
                THEN {concat: 'waits for limit ', k.name, ' until ', {utc_text: k.frees_at}, ': its rate is used up'}
                ELSE {concat: 'waits for limit ', k.name, ': ', k.used, ' of ', k.capacity, ' slots in use', COALESCE(
                    (SELECT {concat: ', the oldest by task ', z.task_id, CASE WHEN z.tenant = l.tenant THEN z.name ELSE '' END}
                    FROM qflow.task_name z WHERE z.task_id = (SELECT MIN(x.id) FROM qflow.lane_limit y JOIN qflow.task_instance x
                        ON x.lane = y.lane AND x.state IN ({task.RESERVED}, {task.RUNNING}) WHERE y.name = k.name)), '')} END)
            FROM qflow.lane_limit m JOIN qflow.limit_key k ON k.name = m.name
            WHERE m.lane = l.id AND (k.used + m.weight > k.capacity OR k.resumes_at > {clock} OR k.frees_at > {clock} OR k.tripped_at IS NOT NULL))
        END AS reason,
    {concat: 'waits for a free slot in pool ', l.pool, COALESCE(
        (SELECT {concat: ', the oldest task in it is ', z.task_id, CASE WHEN z.tenant = l.tenant THEN z.name ELSE '' END}
        FROM (SELECT y.pool, MIN(x.id) AS id FROM qflow.task_instance x JOIN qflow.lane y ON y.id = x.lane
            WHERE x.state IN ({task.RESERVED}, {task.RUNNING}) GROUP BY y.pool) o
        JOIN qflow.task_name z ON z.task_id = o.id WHERE o.pool = l.pool), '')} AS slot_reason
FROM qflow.lane l
;
{only: sqlite DROP VIEW IF EXISTS qflow.child_wait}
;
-- Internal: the instance that a task has started, or has had compensated, and waits for.
{replace_view} qflow.child_wait AS
SELECT c.task_id, {concat: 'waits for instance ', c.instance_id, ' of workflow ', l.job,
    CASE WHEN x.id IS NULL THEN '' ELSE {concat: ', which is ', {words: instance x.state}} END} AS reason
FROM qflow.child c
JOIN qflow.task_instance t ON t.id = c.task_id
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_instance x ON x.id = c.instance_id
WHERE c.is_open = 1
;
{only: sqlite DROP VIEW IF EXISTS qflow.fact_wait}
;
-- Internal: the fact that a task waits for, and since when.
{replace_view} qflow.fact_wait AS
SELECT w.task_id,
    {concat: CASE WHEN w.kind = {fact.TIME} THEN {concat: 'waits until ', {utc_text: w.deadline_at}}
        ELSE {concat: 'waits for ', CASE WHEN w.kind = {fact.APPROVAL} THEN 'approval: ' ELSE '' END, w.subject} END,
        ' since ', {utc_text: w.began_at}, CASE WHEN w.kind = {fact.TIME} OR w.deadline_at IS NULL THEN ''
        ELSE {concat: ', at most until ', {utc_text: w.deadline_at}} END,
        CASE WHEN d.archived_at IS NOT NULL THEN '; that workflow is archived' WHEN d.enabled = 0 THEN '; that workflow is disabled'
        WHEN d.paused_at IS NOT NULL THEN '; that workflow is paused' ELSE '' END,
        COALESCE((SELECT {concat: '; ', f.remark} FROM qflow.file_wait f WHERE f.task_id = w.task_id AND f.fence = w.fence
            AND f.remark IS NOT NULL), '')} AS reason
FROM qflow.waiter w
LEFT JOIN qflow.workflow_definition d ON w.kind = {fact.WORKFLOW} AND d.tenant = w.tenant AND d.workflow = w.name
;
{only: sqlite DROP VIEW IF EXISTS qflow.task_wait}
;
-- Internal: what rows wait for that stand in no lane, if it is nothing else of their instance.
{replace_view} qflow.task_wait AS
SELECT t.id AS task_id,
    CASE WHEN t.state = {task.PENDING} AND t.kind IN ({kind.CHILD}, {kind.COMPENSATION})
            AND EXISTS (SELECT 1 FROM qflow.child c WHERE c.task_id = t.id AND c.is_open = 1)
            THEN (SELECT y.reason FROM qflow.child_wait y WHERE y.task_id = t.id)
        WHEN t.state = {task.PENDING} AND EXISTS (SELECT 1 FROM qflow.waiter y WHERE y.task_id = t.id AND y.fence = t.fence)
            THEN (SELECT y.reason FROM qflow.fact_wait y WHERE y.task_id = t.id)
        WHEN t.state = {task.PENDING} THEN
            (SELECT CASE WHEN m.due_at = {forever} AND t.reason <> 0 THEN 'failed, and waits for a person: retry, skip or terminate'
                WHEN m.due_at <= {clock} AND NOT EXISTS (SELECT 1 FROM qflow.daemon x
                    WHERE x.state = {daemon.READY} AND x.lease_ends_at > {clock}) THEN 'no daemon is running'
                ELSE {concat: 'waits until ', {utc_text: m.due_at}, CASE WHEN m.note IS NULL THEN '' ELSE {concat: ': ', m.note} END} END
            FROM qflow.timer m WHERE m.task_id = t.id AND m.purpose = 0)
        -- Until a daemon that lives takes the rows of a lost one over, they look as if they ran.
        WHEN w.state = {daemon.GONE} OR w.lease_ends_at <= {clock} THEN
            {concat: 'daemon ', w.name, CASE WHEN w.host = w.name THEN '' ELSE {concat: ' on host ', w.host} END, ' is lost; ', CASE WHEN EXISTS (SELECT 1 FROM qflow.daemon x WHERE x.state = {daemon.READY}
                AND x.lease_ends_at > {clock}) THEN 'another one takes its tasks over' ELSE 'no daemon is running' END}
        END AS reason
FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
LEFT JOIN qflow.daemon w ON w.id = t.owner
WHERE (t.state = {task.PENDING} AND t.need <= 0) OR t.state IN ({task.RESERVED}, {task.RUNNING})
;
{only: sqlite DROP VIEW IF EXISTS qflow.task_pause}
;
-- Internal: which tasks are paused, of an instance or (0) of all, by whom, and why.
{replace_view} qflow.task_pause AS
SELECT p.definition_id, p.instance_id, p.task, {concat: 'task ', p.task, ' is paused',
    CASE WHEN p.instance_id = 0 THEN ' in all instances' ELSE '' END,
    CASE WHEN p.paused_by IS NULL THEN '' ELSE {concat: ' by ', p.paused_by} END, ' since ', {utc_text: p.paused_at},
    CASE WHEN p.pause_reason IS NULL THEN '' ELSE {concat: ': ', p.pause_reason} END} AS reason
FROM qflow.paused_task p WHERE p.is_paused = 1
;
{only: sqlite DROP VIEW IF EXISTS qflow.paused_node}
;
-- Internal: the nodes of an instance that are paused.
{replace_view} qflow.paused_node AS
SELECT i.id AS instance_id, n.node, p.task, p.reason
FROM qflow.task_pause p
JOIN qflow.workflow_version v ON v.definition_id = p.definition_id
JOIN qflow.workflow_instance i ON i.version_id = v.id AND (p.instance_id = i.id OR p.instance_id = 0)
JOIN qflow.workflow_node n ON n.version_id = v.id AND n.task = p.task
WHERE p.instance_id <> 0 OR NOT EXISTS (SELECT 1 FROM qflow.paused_task x
    WHERE x.definition_id = p.definition_id AND x.instance_id = i.id AND x.task = p.task)
;
{only: sqlite DROP VIEW IF EXISTS qflow.tasks}
;
{replace_view} qflow.tasks AS
SELECT t.id, i.id AS instance_id, d.workflow, COALESCE(n.task, i.job) AS task, t.map_index,
    {words: kind t.kind} AS kind, CASE WHEN l.pool = '' OR l.pool = '(wait)' AND n.pool = '' THEN {concat: 'workflow ', l.job} ELSE l.job END AS job,
    CASE WHEN l.pool <> '(wait)' THEN l.pool WHEN n.pool = '(wait)' THEN '' ELSE n.pool END AS pool, {words: task CASE WHEN t.state = {task.READY} AND (i.state = {instance.PAUSED}
        OR EXISTS (SELECT 1 FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node)) THEN {task.HELD} ELSE t.state END} AS state,
    {words: reason t.reason} AS reason, t.attempt, COALESCE(p.params, n.params, CASE WHEN n.task IS NULL THEN i.params END) AS params, t.output,
    CASE WHEN t.state <> {task.SUCCESS} THEN
        (SELECT a.error FROM qflow.attempt a WHERE a.task_id = t.id ORDER BY a.fence DESC LIMIT 1) END AS error,
    w.name AS daemon, {instant: i.created_at} AS created_at, {instant: t.ready_at} AS ready_at,
    {instant: t.started_at} AS started_at, {instant: t.finished_at} AS finished_at,
    {seconds: t.started_at, t.finished_at} AS duration_s,
    CASE WHEN t.state = {task.PENDING} AND t.kind = {kind.HEAD}
            AND EXISTS (SELECT 1 FROM qflow.fan_out f WHERE f.task_id = t.id) THEN {concat: 'waits for its items: ', t.open_parents,
                COALESCE((SELECT {concat: '; ', y.reason} FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node), '')}
        WHEN t.state = {task.PENDING} AND t.need > 0 AND t.kind = {kind.COMPENSATION}
            THEN {concat: 'waits for compensations before it: ', COALESCE(CASE WHEN t.open_parents <= 5 THEN
            (SELECT {names: {concat: b.task, CASE WHEN b_row.map_index IS NULL THEN ''
                ELSE {concat: '[', COALESCE(b_row.label, {concat: b_row.map_index, ''}), ']'} END}} FROM qflow.instance_edge e
                JOIN qflow.task_instance b_row ON b_row.id = e.parent AND b_row.state < {task.SUCCESS}
                JOIN qflow.compensation c ON c.task_id = b_row.id
                JOIN qflow.workflow_node b ON b.version_id = i.version_id AND b.node = b_row.node
                WHERE e.child = t.id) END, {concat: t.open_parents, ''})}
        WHEN t.state = {task.PENDING} AND t.done_fence IS NOT NULL
            THEN (SELECT {concat: 'waits for the tasks that it spawned: ', s.open_tasks,
                COALESCE((SELECT {concat: '; ', y.reason} FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node), '')}
                FROM qflow.spawner s WHERE s.task_id = t.id)
        WHEN t.state = {task.PENDING} AND t.need > 0 AND t.kind = {kind.SPAWNED} THEN {concat: 'waits for tasks before it: ', COALESCE(
            CASE WHEN t.open_parents <= 5 THEN (SELECT {names: {concat: COALESCE(n.task, i.job), '[', b_row.label, ']'}} FROM qflow.instance_edge e
                JOIN qflow.task_instance b_row ON b_row.id = e.parent AND b_row.state < {task.SUCCESS}
                WHERE e.child = t.id AND e.parent < t.id) END, {concat: t.open_parents, ''})}
        WHEN t.state = {task.PENDING} AND t.need >= 1000000 THEN 'waits for a place: max_parallel of its map'
        WHEN t.state = {task.PENDING} AND t.need > 0 AND t.map_index IS NOT NULL THEN {concat: 'waits for the same item of a map before it', (SELECT CASE WHEN COUNT(*) = 0 THEN ''
                ELSE {concat: ': ', {names: {concat: b.task, '[', COALESCE(t.label, {concat: t.map_index, ''}), ']'}}} END FROM qflow.workflow_edge e
                JOIN qflow.task_instance b_row ON b_row.id = i.id * 1048576 + e.parent AND b_row.state < {task.SUCCESS}
                JOIN qflow.workflow_node b ON b.version_id = e.version_id AND b.node = e.parent
                WHERE e.version_id = i.version_id AND e.node = t.node AND e.is_each = 1)}
        WHEN t.state = {task.PENDING} AND t.need > 0 THEN {concat: 'waits for tasks before it: ', COALESCE(
            CASE WHEN t.open_parents <= 5 THEN (SELECT {names: b.task} FROM qflow.workflow_edge e
                JOIN qflow.task_instance b_row ON b_row.id = i.id * 1048576 + e.parent AND b_row.state < {task.SUCCESS}
                JOIN qflow.workflow_node b ON b.version_id = e.version_id AND b.node = e.parent
                WHERE e.version_id = i.version_id AND e.node = t.node)
            ELSE (SELECT {concat: b.task, ' and ', (t.open_parents - 1), ' more'} FROM qflow.workflow_edge e
                JOIN qflow.task_instance b_row ON b_row.id = i.id * 1048576 + e.parent AND b_row.state < {task.SUCCESS}
                JOIN qflow.workflow_node b ON b.version_id = e.version_id AND b.node = e.parent
                WHERE e.version_id = i.version_id AND e.node = t.node ORDER BY e.parent LIMIT 1) END,
            {concat: t.open_parents, ''}), CASE WHEN EXISTS (SELECT 1 FROM qflow.task_pause) THEN
            COALESCE((SELECT {concat: '; ', y.reason} FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node), '') ELSE '' END}
        WHEN i.state = {instance.PAUSED} AND t.state IN ({task.READY}, {task.HELD}) THEN
            {concat: 'the instance is paused', CASE WHEN i.paused_by IS NULL THEN '' ELSE {concat: ' by ', i.paused_by} END}
        WHEN t.state IN ({task.READY}, {task.HELD}) THEN COALESCE(
            (SELECT y.reason FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = t.node),
            CASE WHEN t.state = {task.HELD} THEN 'it was paused, and is resumed now' END,
            (SELECT COALESCE(y.reason, y.slot_reason) FROM qflow.lane_wait y WHERE y.lane = t.lane))
        WHEN t.state < {task.SUCCESS} THEN (SELECT y.reason FROM qflow.task_wait y WHERE y.task_id = t.id)
        END AS wait_reason, i.tenant,
    CASE WHEN g.total > 0 THEN g.done / g.total END AS progress, g.done AS progress_done, g.total AS progress_total,
    g.message AS progress_text, t.label,
    CASE WHEN t.kind = {kind.CHILD} THEN (SELECT MAX(c.instance_id) FROM qflow.child c WHERE c.task_id = t.id) END AS child_instance_id
FROM qflow.workflow_instance i
JOIN qflow.task_instance t ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND i.id = t.id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.task_input p ON p.task_id = t.id
LEFT JOIN qflow.daemon w ON w.id = t.owner
-- Of the attempt that runs, or ran last; an earlier one's says nothing about this.
LEFT JOIN qflow.task_progress g ON g.task_id = t.id AND g.fence = COALESCE(t.done_fence, t.fence)
;
{only: sqlite DROP VIEW IF EXISTS qflow.compensations}
;
{replace_view} qflow.compensations AS
SELECT t.id, t.instance_id, t.workflow, t.task, t.map_index, c.target AS undoes, u.state AS task_state, t.job, t.pool, t.state,
    t.reason, t.attempt, t.output, t.error, t.daemon, t.ready_at, t.started_at, t.finished_at, t.duration_s, t.wait_reason, t.tenant
FROM qflow.tasks t
JOIN qflow.compensation c ON c.task_id = t.id
JOIN qflow.tasks u ON u.id = c.target AND u.instance_id = t.instance_id
;
{only: sqlite DROP VIEW IF EXISTS qflow.instances}
;
{replace_view} qflow.instances AS
SELECT i.id, i.tenant, d.workflow, v.version, COALESCE(i.name, d.workflow, i.job) AS name,
    {words: instance i.state} AS state, {words: reason i.reason} AS reason, {words: saga i.saga_state} AS saga_state,
    i.trigger_type, i.business_date, i.priority, i.params,
    CASE WHEN i.state >= {instance.SUCCESS} THEN 1.0 WHEN i.state = {instance.READY} THEN 0.0
        ELSE (SELECT COALESCE(ROUND(AVG(CASE WHEN t.state >= {task.SUCCESS} THEN 1.0 ELSE 0.0 END), 4), 0.0)
            FROM qflow.workflow_instance z JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
            ON t.id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 WHERE z.id = i.id) END AS progress,
    {instant: i.created_at} AS created_at, {instant: i.started_at} AS started_at, {instant: i.finished_at} AS finished_at,
    {instant: i.updated_at} AS updated_at, {seconds: i.started_at, i.finished_at} AS duration_s, i.error,
    CASE WHEN i.state = {instance.READY} AND i.concurrency_key IS NULL THEN {concat: 'held', COALESCE(
            (SELECT {concat: ' by ', s.submitted_by} FROM qflow.submissions s WHERE s.id = i.id AND s.submitted_by IS NOT NULL), ''),
            ' until it is resumed'}
        WHEN i.state = {instance.READY} THEN COALESCE((SELECT {concat: 'queued behind instance ', r.id, ' of workflow ', d.workflow, ', which is ', {words: instance r.state}} FROM qflow.workflow_instance r
            WHERE r.concurrency_key = i.concurrency_key AND r.state < {instance.SUCCESS} AND r.state >= {instance.RUNNING}
            ORDER BY r.id LIMIT 1), CASE WHEN d.paused_at IS NULL THEN 'queued, and its turn comes next'
                ELSE {concat: 'queued, and the workflow is paused', CASE WHEN d.paused_by IS NULL THEN '' ELSE {concat: ' by ', d.paused_by} END} END)
        WHEN i.state = {instance.PAUSED} THEN {concat: 'paused', CASE WHEN i.paused_by IS NULL THEN '' ELSE {concat: ' by ', i.paused_by} END,
            ' since ', {utc_text: i.updated_at}, CASE WHEN i.pause_reason IS NULL THEN '' ELSE {concat: ': ', i.pause_reason} END}
        WHEN i.state = {instance.RUNNING} THEN COALESCE(
            -- What keeps some of it from running, even while the rest runs; else, when none of it runs, what it waits for.
            -- Asked once a lane, not once a row. MariaDB reads a range by a joined table, not by one outside of the subquery.
            (SELECT (SELECT y.reason FROM qflow.lane_wait y WHERE y.lane = t.lane) FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
                WHERE t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND t.state = {task.READY} GROUP BY t.lane
                HAVING (SELECT y.reason FROM qflow.lane_wait y WHERE y.lane = t.lane) IS NOT NULL ORDER BY 1 LIMIT 1),
            (SELECT MIN(y.reason) FROM qflow.paused_node y WHERE y.instance_id = i.id AND EXISTS (SELECT 1 FROM qflow.task_instance t
                WHERE t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND t.state = {task.HELD} AND t.node = y.node)),
            (SELECT y.reason FROM qflow.workflow_instance z JOIN qflow.child_wait y
                ON y.task_id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 WHERE z.id = i.id ORDER BY y.task_id LIMIT 1),
            (SELECT {concat: 'failed tasks that wait for a person: ', COUNT(*)} FROM qflow.timer m
                JOIN qflow.task_instance t ON t.id = m.task_id AND t.fence = m.fence AND t.reason <> 0
                WHERE m.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND m.purpose = 0 AND m.due_at = {forever}
                HAVING COUNT(*) > 0),
            CASE WHEN NOT EXISTS (SELECT 1 FROM qflow.task_instance t LEFT JOIN qflow.daemon w ON w.id = t.owner
                    WHERE t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND t.state IN ({task.RESERVED}, {task.RUNNING})
                    AND (w.id IS NULL OR (w.state <> {daemon.GONE} AND w.lease_ends_at > {clock})))
                THEN COALESCE(
                    (SELECT (SELECT y.slot_reason FROM qflow.lane_wait y WHERE y.lane = t.lane) FROM qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
                        WHERE t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND t.state = {task.READY} GROUP BY t.lane
                        ORDER BY 1 LIMIT 1),
                    (SELECT MIN(y.reason) FROM qflow.workflow_instance z JOIN qflow.task_wait y
                        ON y.task_id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 WHERE z.id = i.id),
                    (SELECT MIN('it was paused, and is resumed now') FROM qflow.workflow_instance z JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
                        ON t.id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 AND t.state = {task.HELD} WHERE z.id = i.id)) END,
            CASE WHEN i.intent IN ({intent.TERMINATE}, {intent.FINALLY}, {intent.ABORT}) THEN 'is being terminated'
                WHEN i.intent = {intent.COMPENSATE} THEN 'its compensations begin when a daemon has added them'
                WHEN i.saga_state = {saga.COMPENSATING} THEN (SELECT {concat: 'is being compensated; compensations left: ', COUNT(*)}
                    FROM qflow.workflow_instance z JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
                    ON t.id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 AND t.kind = {kind.COMPENSATION} AND t.state < {task.SUCCESS}
                    WHERE z.id = i.id) END)
        WHEN i.saga_state = {saga.COMPENSATION_FAILED} THEN (SELECT CASE WHEN COUNT(t.id) = 0 THEN 'its compensation was stopped, and waits for a person: retry'
                ELSE {concat: 'its compensation failed (', CASE WHEN COUNT(t.id) > 5 THEN {concat: COUNT(t.id), ' tasks'}
                    ELSE {names: {concat: 'undo ', COALESCE(n.task, z.job), CASE WHEN t.map_index IS NULL THEN ''
                        ELSE {concat: '[', COALESCE(t.label, {concat: t.map_index, ''}), ']'} END}} END, '), and waits for a person: retry'} END
            FROM qflow.workflow_instance z JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)}
                ON t.id BETWEEN z.id * 1048576 AND z.id * 1048576 + 1048575 AND t.kind = {kind.COMPENSATION} AND t.state = {task.FAILED}
            LEFT JOIN qflow.workflow_node n ON n.version_id = z.version_id AND n.node = t.node WHERE z.id = i.id) END AS wait_reason,
    -- An instance has one parent, and perhaps a compensation of it that waits for its own; a join by an index that is not
    -- unique makes a planner count five.
    (SELECT MAX(p.parent_id) FROM qflow.child p WHERE p.instance_id = i.id) AS parent_instance_id,
    (SELECT MIN(p.task_id) FROM qflow.child p WHERE p.instance_id = i.id) AS parent_task_id,
    i.backfill AS backfill_id,
    (SELECT {instant: l.expected_at} FROM qflow.late_date l WHERE l.definition_id = i.definition_id AND l.business_date = i.business_date
        AND (i.finished_at IS NULL OR i.finished_at > l.expected_at)
        AND (l.ended_at IS NULL OR i.started_at <= l.ended_at)) AS late_at
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
;
{only: sqlite DROP VIEW IF EXISTS qflow.breakpoints}
;
-- Counts an instance's rows by task, in one pass; the head of a map counts no more when there are items. An instance that
-- has not begun has no rows: its version says what it will have.
{replace_view} qflow.breakpoints AS
SELECT g.id, i.id AS instance_id, d.workflow,
    COALESCE((SELECT n.task FROM qflow.workflow_node n WHERE n.version_id = i.version_id AND n.node = g.node), i.job) AS task,
    {words: kind g.kind} AS kind, CASE WHEN l.pool = '' THEN {concat: 'workflow ', l.job} ELSE l.job END AS job,
    {words: task CASE WHEN g.running > 0 THEN {task.RUNNING} WHEN g.ready = 0 AND g.unended > 0 THEN {task.PENDING}
        WHEN g.ready = 0 THEN g.state WHEN g.held > 0 OR i.state = {instance.PAUSED}
            OR EXISTS (SELECT 1 FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = g.node) THEN {task.HELD}
        ELSE {task.READY} END} AS state,
    g.total, g.done, CASE WHEN g.state >= {task.SUCCESS} THEN g.total - g.done - g.unended ELSE g.failed END AS failed, g.running,
    CASE WHEN g.state >= {task.SUCCESS} THEN g.unended ELSE g.total - g.done - g.failed END - g.running AS waiting,
    CASE WHEN g.ready > 0 AND EXISTS (SELECT 1 FROM qflow.paused_node y WHERE y.instance_id = i.id AND y.node = g.node) THEN 0
        ELSE g.ready END AS would_start,
    CASE WHEN g.unended = 0 AND g.state >= {task.SUCCESS} THEN 1.0
        WHEN g.total = 1 THEN COALESCE((SELECT p.done / p.total FROM qflow.task_progress p
            JOIN qflow.task_instance t ON t.id = p.task_id AND p.fence = COALESCE(t.done_fence, t.fence)
            WHERE p.task_id = g.id AND p.total > 0), 0.0)
        ELSE ROUND(1.0 * (g.done + g.failed) / NULLIF(g.total, 0), 4) END AS progress,
    (SELECT w.wait_reason FROM qflow.tasks w WHERE w.instance_id = i.id AND w.id = g.waiting_id
        AND g.total > g.done + g.failed + g.running) AS wait_reason,
    g.checkpoints, (SELECT c.value FROM qflow.checkpoint c WHERE c.task_id = g.saved_id) AS checkpoint, i.tenant
FROM (SELECT x.id AS instance_id, t.node, MIN(t.id) AS id, MIN(t.lane) AS lane,
        COALESCE(MAX(CASE WHEN t.id = x.id * 1048576 + t.node THEN t.kind END), MAX(t.kind)) AS kind,
        -- Of what undoes a task, which has no row of its own: the worst end.
        COALESCE(MAX(CASE WHEN t.id = x.id * 1048576 + t.node THEN t.state END), MAX(CASE WHEN t.state = {task.FAILED} THEN t.state END),
            MAX(CASE WHEN t.state > {task.SKIPPED} THEN t.state END), MIN(t.state)) AS state,
        COALESCE(MAX(f.items), COUNT(CASE WHEN t.kind <> {kind.SPAWNED} THEN 1 END))
            + COUNT(CASE WHEN t.kind = {kind.SPAWNED} THEN 1 END) AS total,
        COUNT(CASE WHEN f.task_id IS NULL AND t.state IN ({task.SUCCESS}, {task.SKIPPED}) THEN 1 END) AS done,
        COUNT(CASE WHEN f.task_id IS NULL AND t.state IN ({task.FAILED}, {task.UPSTREAM_FAILED}, {task.CANCELLED}) THEN 1 END) AS failed,
        COUNT(CASE WHEN f.task_id IS NULL AND t.state < {task.SUCCESS} THEN 1 END) AS unended,
        COUNT(CASE WHEN t.state IN ({task.RESERVED}, {task.RUNNING}) THEN 1 END) AS running,
        COUNT(CASE WHEN t.state IN ({task.READY}, {task.HELD}) THEN 1 END) AS ready,
        COUNT(CASE WHEN t.state = {task.HELD} THEN 1 END) AS held,
        COALESCE(MIN(CASE WHEN t.state IN ({task.READY}, {task.HELD}) THEN t.id END),
            MIN(CASE WHEN f.task_id IS NULL AND t.state = {task.PENDING} THEN t.id END),
            MIN(CASE WHEN t.state = {task.PENDING} THEN t.id END)) AS waiting_id,
        COUNT(c.task_id) AS checkpoints, MIN(c.task_id) AS saved_id
    FROM qflow.workflow_instance x
    JOIN qflow.task_instance t ON t.id BETWEEN x.id * 1048576 AND x.id * 1048576 + 1048575
    LEFT JOIN qflow.fan_out f ON f.task_id = t.id AND t.kind = {kind.HEAD}
    LEFT JOIN qflow.checkpoint c ON c.task_id = t.id AND t.state < {task.SUCCESS}
    GROUP BY x.id, t.node, CASE WHEN t.kind = {kind.COMPENSATION} THEN 1 ELSE 0 END) g
JOIN qflow.workflow_instance i ON i.id = g.instance_id
JOIN qflow.lane l ON l.id = g.lane
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
UNION ALL
SELECT i.id * 1048576 + COALESCE(n.node, 0), i.id, d.workflow, COALESCE(n.task, i.job), CASE WHEN n.pool = '' THEN 'child' ELSE 'task' END,
    CASE WHEN n.pool = '' THEN {concat: 'workflow ', n.job} ELSE COALESCE(n.job, i.job) END, 'PENDING', 1, 0, 0, 0, 1,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.workflow_edge e WHERE e.version_id = n.version_id AND e.node = n.node) THEN 0 ELSE 1 END, 0.0,
    (SELECT y.wait_reason FROM qflow.instances y WHERE y.id = i.id), 0, NULL, i.tenant
FROM qflow.workflow_instance i
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id
WHERE i.state = {instance.READY}
;
{only: sqlite DROP VIEW IF EXISTS qflow.attempts}
;
{replace_view} qflow.attempts AS
SELECT a.task_id, i.id AS instance_id, COALESCE(n.task, i.job) AS task, a.attempt, a.fence,
    {words: task a.state} AS state, {words: reason a.reason} AS reason,
    {instant: a.started_at} AS started_at, {instant: a.finished_at} AS finished_at,
    {seconds: a.started_at, a.finished_at} AS duration_s, a.cpu_s, a.peak_memory_mb, a.exit_signal, c.hash AS code_hash,
    w.name AS daemon, a.error, a.traceback, i.tenant, t.map_index, t.label
FROM qflow.workflow_instance i
JOIN qflow.attempt a ON a.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND i.id = a.task_id >> 20
JOIN qflow.task_instance t ON t.id = a.task_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.code c ON c.id = a.code_id
LEFT JOIN qflow.daemon w ON w.id = a.daemon_id
UNION ALL
SELECT t.id, i.id, COALESCE(n.task, i.job), t.attempt, t.done_fence, {words: task t.state}, {words: reason t.reason},
    {instant: t.started_at}, {instant: t.finished_at}, {seconds: t.started_at, t.finished_at}, NULL, NULL, NULL, c.hash, w.name, NULL, NULL,
    i.tenant, t.map_index, t.label
FROM qflow.workflow_instance i
JOIN qflow.task_instance t ON t.id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND i.id = t.id >> 20
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.code c ON c.id = t.code_id
LEFT JOIN qflow.daemon w ON w.id = t.owner
WHERE t.state = {task.SUCCESS} AND t.kind <> {kind.HEAD} AND t.started_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM qflow.attempt a WHERE a.task_id = t.id AND a.fence = t.done_fence)
    AND NOT EXISTS (SELECT 1 FROM qflow.spawner s WHERE s.task_id = t.id)
;
{only: sqlite DROP VIEW IF EXISTS qflow.failures}
;
-- Begins with the rows that failed, which are few beside all others.
{replace_view} qflow.failures AS
SELECT y.id, i.id AS instance_id, d.workflow, COALESCE(n.task, i.job) AS task, t.map_index, t.label, {words: kind t.kind} AS kind,
    i.business_date, CASE WHEN t.reason > {reason.ERROR} THEN {words: reason t.reason}
        WHEN REPLACE({until_colon: a.error}, ' ', '') = {until_colon: a.error} THEN {until_colon: a.error} ELSE 'error' END AS error_class,
    a.error, t.attempt AS attempts, {instant: COALESCE(t.finished_at, a.finished_at)} AS failed_at, {words: task t.state} AS state,
    {words: instance i.state} AS instance_state, i.trigger_type, l.job, y.fence, i.tenant
FROM (SELECT x.id, x.done_fence AS fence FROM qflow.task_instance x {only: mysql FORCE INDEX (task_instance_claim)}
    WHERE x.state = {task.FAILED}
    -- Those that wait for a person.
    UNION ALL SELECT x.id, m.fence - 1 FROM qflow.timer m JOIN qflow.task_instance x ON x.id = m.task_id AND x.fence = m.fence
        AND x.reason <> 0 WHERE m.purpose = 0 AND m.due_at = {forever}) y
JOIN qflow.task_instance t ON t.id = y.id
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.attempt a ON a.task_id = y.id AND a.fence = y.fence
WHERE NOT EXISTS (SELECT 1 FROM qflow.failure h WHERE h.task_id = y.id AND h.fence = y.fence AND h.handled_at IS NOT NULL)
    -- The head of a map whose items failed, a task whose spawned tasks did: they are here themselves.
    AND NOT EXISTS (SELECT 1 FROM qflow.fan_out f WHERE f.task_id = y.id)
    AND NOT EXISTS (SELECT 1 FROM qflow.spawner s WHERE s.task_id = y.id AND s.bad_tasks > 0)
;
{only: sqlite DROP VIEW IF EXISTS qflow.handled_failures}
;
{replace_view} qflow.handled_failures AS
SELECT h.task_id AS id, i.id AS instance_id, d.workflow, COALESCE(n.task, i.job) AS task, t.map_index, t.label, {words: kind t.kind} AS kind,
    i.business_date, CASE WHEN a.reason > {reason.ERROR} THEN {words: reason a.reason}
        WHEN REPLACE({until_colon: a.error}, ' ', '') = {until_colon: a.error} THEN {until_colon: a.error} ELSE 'error' END AS error_class,
    a.error, COALESCE(a.attempt, t.attempt) AS attempts, {instant: COALESCE(a.finished_at, h.handled_at)} AS failed_at,
    {words: task t.state} AS state, {words: instance i.state} AS instance_state, i.trigger_type, l.job, h.fence, i.tenant,
    {instant: h.handled_at} AS handled_at, h.handled_by, h.note
FROM qflow.failure h
JOIN qflow.task_instance t ON t.id = h.task_id
JOIN qflow.workflow_instance i ON i.id = h.task_id >> 20
JOIN qflow.lane l ON l.id = t.lane
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
LEFT JOIN qflow.attempt a ON a.task_id = h.task_id AND a.fence = h.fence
WHERE h.handled_at IS NOT NULL
;
{only: sqlite DROP VIEW IF EXISTS qflow.logs}
;
{replace_view} qflow.logs AS
SELECT g.id, g.task_id, i.id AS instance_id, COALESCE(n.task, i.job) AS task, g.attempt, {instant: g.logged_at} AS at, g.stream,
    g.level, g.logger, g.message, g.attributes, i.tenant, t.map_index, t.label
FROM qflow.workflow_instance i
JOIN qflow.log_line g ON g.task_id BETWEEN i.id * 1048576 AND i.id * 1048576 + 1048575 AND i.id = g.task_id >> 20
JOIN qflow.task_instance t ON t.id = g.task_id
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
;
{only: sqlite DROP VIEW IF EXISTS qflow.unmet_need}
;
-- Internal: what the tasks of a version name and nothing has, or gets params that do not fit it.
{replace_view} qflow.unmet_need AS
SELECT n.version_id, CASE WHEN n.kind = 'workflow' AND EXISTS (SELECT 1 FROM qflow.workflow_definition x
            WHERE x.tenant = d.tenant AND x.workflow = n.name AND x.archived_at IS NOT NULL) THEN {concat: 'workflow ', n.name, ' is archived'}
    WHEN n.kind = 'workflow' THEN {concat: 'there is no workflow ', n.name}
    WHEN NOT EXISTS (SELECT 1 FROM qflow.job j WHERE j.name = n.name) THEN {concat: 'no daemon has ever registered job ', n.name}
    WHEN n.problem IS NOT NULL THEN n.problem
    ELSE {concat: 'no live daemon knows job ', n.name} END AS problem
FROM qflow.workflow_need n
JOIN qflow.workflow_version v ON v.id = n.version_id
JOIN qflow.workflow_definition d ON d.id = v.definition_id
WHERE (n.kind = 'workflow' AND NOT EXISTS (SELECT 1 FROM qflow.workflow_definition x
        WHERE x.tenant = d.tenant AND x.workflow = n.name AND x.active_version IS NOT NULL AND x.archived_at IS NULL))
    OR (n.kind = 'job' AND NOT EXISTS (SELECT 1 FROM qflow.daemon_job k JOIN qflow.daemon x ON x.id = k.daemon_id
            WHERE k.job = n.name AND x.state = {daemon.READY} AND x.lease_ends_at > {clock})
        AND (EXISTS (SELECT 1 FROM qflow.daemon x WHERE x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            OR NOT EXISTS (SELECT 1 FROM qflow.job j WHERE j.name = n.name)))
    OR n.problem IS NOT NULL
;
{only: sqlite DROP VIEW IF EXISTS qflow.workflows}
;
{replace_view} qflow.workflows AS
SELECT d.workflow, d.title, d.description, d.domain, d.type, d.tags, d.enabled, v.version, {words: version v.state} AS state,
    CASE WHEN v.hash <> d.source_hash THEN 'command' ELSE d.source END AS source, d.file, v.hash, {instant: d.created_at} AS created_at, {instant: d.updated_at} AS updated_at,
    COALESCE(f.error, d.error) AS error, d.tenant, {instant: d.archived_at} AS archived_at,
    c.version AS canary_version, d.canary_share / 10000.0 AS canary_share,
    CASE WHEN d.paused_at IS NOT NULL THEN {concat: 'paused', CASE WHEN d.paused_by IS NULL THEN '' ELSE {concat: ' by ', d.paused_by} END,
        ' since ', {utc_text: d.paused_at}, CASE WHEN d.pause_reason IS NULL THEN '' ELSE {concat: ': ', d.pause_reason} END}
        ELSE (SELECT {names: p.reason} FROM qflow.task_pause p WHERE p.definition_id = d.id AND p.instance_id = 0) END AS wait_reason,
    CASE WHEN d.archived_at IS NULL THEN (SELECT {names: u.problem} FROM qflow.unmet_need u WHERE u.version_id = d.active_version) END AS warning,
    (SELECT p.pool FROM qflow.domain_pool p WHERE p.domain = d.domain) AS default_pool
FROM qflow.workflow_definition d
LEFT JOIN qflow.workflow_version v ON v.id = d.active_version
LEFT JOIN qflow.workflow_version c ON c.id = d.canary_version
LEFT JOIN qflow.workflow_fault f ON f.workflow = d.workflow AND f.file = d.file
UNION ALL
-- Hosts with other folders may have faults for the same key: where it is taken, a fault goes by its file.
SELECT CASE WHEN f.workflow IS NULL OR EXISTS (SELECT 1 FROM qflow.workflow_definition d WHERE d.workflow = f.workflow)
        OR EXISTS (SELECT 1 FROM qflow.workflow_fault x WHERE x.workflow = f.workflow AND x.file < f.file)
    THEN f.file ELSE f.workflow END, '', '', '', '', '[]', 0, NULL, NULL, 'file', f.file, NULL, {instant: f.updated_at}, {instant: f.updated_at},
    f.error, 'default', NULL, NULL, NULL, NULL, NULL, NULL
FROM qflow.workflow_fault f
WHERE f.definition IS NULL AND NOT EXISTS (SELECT 1 FROM qflow.workflow_definition d WHERE d.workflow = f.workflow AND d.file = f.file)
;
{only: sqlite DROP VIEW IF EXISTS qflow.versions}
;
{replace_view} qflow.versions AS
SELECT d.workflow, v.version, {words: version v.state} AS state, v.hash, v.source, v.file, {instant: v.created_at} AS created_at,
    {instant: v.activated_at} AS activated_at,
    CASE WHEN v.activated_at IS NOT NULL THEN COALESCE(v.activated_by, v.source) END AS activated_by, v.replaced, v.note,
    v.format, v.source_text, v.document, d.tenant,
    CASE WHEN v.id = d.canary_version THEN d.canary_share / 10000.0
        WHEN v.id = d.active_version THEN (10000 - COALESCE(d.canary_share, 0)) / 10000.0 ELSE 0.0 END AS share,
    v.created_by, v.faults, v.base_hash
FROM qflow.workflow_version v
JOIN qflow.workflow_definition d ON d.id = v.definition_id
;
{only: sqlite DROP VIEW IF EXISTS qflow.task_definitions}
;
{replace_view} qflow.task_definitions AS
SELECT t.name, t.kind, t.job, t.type, t.document, t.hash, t.note, t.updated_by, {instant: t.created_at} AS created_at,
    {instant: t.updated_at} AS updated_at, {instant: t.archived_at} AS archived_at, t.format, t.source_text, t.tenant,
    CASE WHEN t.file IS NULL OR t.hash <> t.file_hash THEN 'command' ELSE 'file' END AS source, t.file, f.error, t.file_hash
FROM qflow.task_definition t
LEFT JOIN qflow.workflow_fault f ON f.definition = t.name AND f.file = t.file
UNION ALL
-- Files that have never been without fault; where the name is taken, a fault goes by its file.
SELECT CASE WHEN EXISTS (SELECT 1 FROM qflow.task_definition t WHERE t.name = f.definition)
        OR EXISTS (SELECT 1 FROM qflow.workflow_fault x WHERE x.definition = f.definition AND x.file < f.file)
    THEN f.file ELSE f.definition END, '', NULL, NULL, NULL, NULL, NULL, 'file', {instant: f.updated_at}, {instant: f.updated_at},
    NULL, NULL, NULL, 'default', 'file', f.file, f.error, NULL
FROM qflow.workflow_fault f
WHERE f.definition IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM qflow.task_definition t WHERE t.name = f.definition AND t.file = f.file)
;
{only: sqlite DROP VIEW IF EXISTS qflow.schedules}
;
{replace_view} qflow.schedules AS
SELECT d.workflow, s.name, s.cron, s.timezone,
    CASE WHEN s.catchup = 'all' THEN {concat: 'all(', s.catchup_limit, ')'} ELSE s.catchup END AS catchup,
    COALESCE(s.enabled_override, s.enabled) AS enabled,
    CASE WHEN s.enabled_override IS NULL AND s.file_schedule IS NULL THEN d.source ELSE 'command' END AS source,
    {instant: s.last_fire_at} AS last_fire_at,
    CASE WHEN COALESCE(s.enabled_override, s.enabled) = 1 AND d.enabled = 1 AND d.archived_at IS NULL AND d.paused_at IS NULL
        THEN {instant: s.next_fire_at} END AS next_fire_at, d.tenant, {instant: d.archived_at} AS archived_at,
    CASE WHEN d.archived_at IS NOT NULL THEN 'the workflow is archived' WHEN d.enabled = 0 THEN 'the workflow is disabled'
        WHEN s.enabled_override = 0 AND s.disabled_at IS NOT NULL THEN {concat: 'it is disabled',
            CASE WHEN s.disabled_by IS NULL THEN '' ELSE {concat: ' by ', s.disabled_by} END, ' since ', {utc_text: s.disabled_at},
            CASE WHEN s.disable_reason IS NULL THEN '' ELSE {concat: ': ', s.disable_reason} END}
        WHEN COALESCE(s.enabled_override, s.enabled) = 0 THEN 'it is disabled'
        WHEN d.paused_at IS NOT NULL THEN 'the workflow is paused'
        WHEN s.calendar <> '' AND s.next_fire_at IS NULL
            THEN {concat: 'what comes next is past the horizon of calendar ', s.calendar, '; update qflowd'}
        WHEN s.fact_kind = {fact.WORKFLOW} AND NOT EXISTS (SELECT 1 FROM qflow.workflow_definition o
                WHERE o.tenant = d.tenant AND o.workflow = s.fact_name AND o.archived_at IS NULL)
            THEN {concat: 'workflow ', s.fact_name, ' is archived or not there'}
        WHEN s.fact_kind = {fact.WORKFLOW} AND EXISTS (SELECT 1 FROM qflow.workflow_definition o JOIN qflow.schedule y
                ON y.definition_id = o.id AND y.fact_kind = {fact.WORKFLOW} AND y.fact_name = d.workflow
                WHERE o.tenant = d.tenant AND o.workflow = s.fact_name)
            THEN {concat: 'workflow ', s.fact_name, ' starts on this one, so neither is started; take one start_on away'}
        WHEN c.tenant IS NOT NULL
            THEN {concat: 'workflow ', s.fact_name, ' starts on others that start on this one, so none of them is started; take one start_on away'}
            END AS wait_reason,
    s.calendar, s.session_time, s.session_days,
    {concat: CASE WHEN s.fact_kind IS NOT NULL THEN {concat: 'on ', LOWER({words: fact s.fact_kind}), ' ', s.fact_name}
            WHEN s.session_time = '' THEN s.cron ELSE s.session_time END,
        CASE WHEN s.session_days = '' THEN '' ELSE {concat: ', ', s.session_days} END,
        CASE WHEN s.day_window = '' THEN '' ELSE {concat: ', ', s.day_window} END} AS times, s.day_window,
    s.params, s.set_by, {instant: s.set_at} AS set_at, s.set_reason, s.file_says,
    CASE WHEN s.fact_kind IS NOT NULL THEN {concat: LOWER({words: fact s.fact_kind}), ' ', s.fact_name} END AS start_on
FROM qflow.schedule s
JOIN qflow.workflow_definition d ON d.id = s.definition_id
-- Which workflow starts on which, directly or by way of others: worked out once, whatever is asked for.
LEFT JOIN (WITH RECURSIVE way (tenant, workflow, starts_on) AS (
        SELECT x.tenant, x.workflow, y.fact_name FROM qflow.schedule y JOIN qflow.workflow_definition x ON x.id = y.definition_id
        WHERE y.fact_kind = {fact.WORKFLOW}
        UNION SELECT w.tenant, w.workflow, y.fact_name FROM way w
        JOIN qflow.workflow_definition x ON x.tenant = w.tenant AND x.workflow = w.starts_on
        JOIN qflow.schedule y ON y.definition_id = x.id AND y.fact_kind = {fact.WORKFLOW})
    SELECT tenant, workflow, starts_on FROM way) c
    ON s.fact_kind = {fact.WORKFLOW} AND c.tenant = d.tenant AND c.workflow = s.fact_name AND c.starts_on = d.workflow
;
{only: sqlite DROP VIEW IF EXISTS qflow.approvals}
;
-- What waits for a person to approve or reject, and what has been answered.
{replace_view} qflow.approvals AS
SELECT w.task_id AS id, i.id AS instance_id, d.workflow, n.task, i.business_date, w.subject,
    CASE WHEN w.answer = 1 THEN 'APPROVED' WHEN w.answer = 0 THEN 'REJECTED'
        WHEN w.state < {wait.MET} AND t.fence = w.fence THEN 'WAITING' ELSE 'CLOSED' END AS state,
    {instant: w.began_at} AS asked_at, {instant: w.deadline_at} AS deadline_at,
    CASE WHEN w.default_answer = 1 THEN 'approve' ELSE 'reject' END AS default_answer,
    w.answered_by, {instant: w.answered_at} AS answered_at, w.note, i.tenant
FROM qflow.waiter w
JOIN qflow.task_instance t ON t.id = w.task_id
JOIN qflow.workflow_instance i ON i.id = w.task_id >> 20
JOIN qflow.workflow_version v ON v.id = i.version_id
JOIN qflow.workflow_definition d ON d.id = v.definition_id
JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE w.kind = {fact.APPROVAL}
;
{only: sqlite DROP VIEW IF EXISTS qflow.datasets}
;
-- What tasks have produced: a row a version.
{replace_view} qflow.datasets AS
SELECT v.id, d.name, d.series, v.version, CASE WHEN v.version = d.version THEN 1 ELSE 0 END AS is_latest,
    {instant: v.recorded_at} AS recorded_at, v.task_id >> 20 AS instance_id, v.task_id, v.workflow, v.task, v.business_date,
    v.metadata, d.tenant
FROM qflow.dataset_version v JOIN qflow.dataset d ON d.id = v.dataset_id
;
{only: sqlite DROP VIEW IF EXISTS qflow.dataset_uses}
;
-- Which version of a dataset a task that waited for it was given, and whether a later one has come since.
{replace_view} qflow.dataset_uses AS
SELECT w.task_id AS id, i.id AS instance_id, d.workflow, n.task, i.business_date, b.name, b.series, w.dataset_version AS version,
    b.version AS latest_version, CASE WHEN w.dataset_version < b.version THEN 1 ELSE 0 END AS is_stale,
    {instant: w.answered_at} AS used_at, w.tenant
FROM qflow.waiter w
JOIN qflow.dataset b ON b.tenant = w.tenant AND b.name = w.name
JOIN qflow.task_instance t ON t.id = w.task_id
JOIN qflow.workflow_instance i ON i.id = w.task_id >> 20
JOIN qflow.workflow_version v ON v.id = i.version_id
JOIN qflow.workflow_definition d ON d.id = v.definition_id
JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE w.kind = {fact.DATASET} AND w.dataset_version IS NOT NULL
;
{only: sqlite DROP VIEW IF EXISTS qflow.fires}
;
{replace_view} qflow.fires AS
SELECT d.workflow, f.name AS schedule, {instant: f.fire_at} AS fire_at, f.instance_id,
    CASE WHEN f.is_missed = 1 THEN 'MISSED' ELSE COALESCE({words: instance i.state}, s.state) END AS state, s.error, d.tenant,
    COALESCE(i.business_date, s.business_date, f.business_date) AS business_date,
    LOWER({words: fact f.fact_kind}) AS fact, f.fact_id
FROM qflow.schedule_fire f
JOIN qflow.workflow_definition d ON d.id = f.definition_id
LEFT JOIN qflow.workflow_instance i ON i.id = f.instance_id
LEFT JOIN qflow.submissions s ON s.id = f.instance_id
;
{only: sqlite DROP VIEW IF EXISTS qflow.jobs}
;
{replace_view} qflow.jobs AS
SELECT j.name AS job, j.params_schema, j.file, j.hash, j.doc, j.settings,
    (SELECT {names: w.name} FROM qflow.daemon_job k JOIN qflow.daemon w ON w.id = k.daemon_id
        WHERE k.job = j.name AND w.state = {daemon.READY} AND w.lease_ends_at > {clock}) AS daemons,
    CASE WHEN EXISTS (SELECT 1 FROM qflow.daemon_job k JOIN qflow.daemon w ON w.id = k.daemon_id
        WHERE k.job = j.name AND w.state = {daemon.READY} AND w.lease_ends_at > {clock}) THEN 'ACTIVE' ELSE 'WITHDRAWN' END AS state,
    (SELECT MIN(p.error) FROM qflow.plugin p JOIN qflow.daemon w ON w.id = p.daemon_id
        WHERE p.file = j.file AND w.state = {daemon.READY} AND w.lease_ends_at > {clock}) AS error
FROM qflow.job j
;
{only: sqlite DROP VIEW IF EXISTS qflow.pools}
;
{replace_view} qflow.pools AS
SELECT k.pool, w.name AS daemon, k.processes, k.threads,
    (SELECT COUNT(*) FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane
        WHERE t.owner = w.id AND t.state IN ({task.RESERVED}, {task.RUNNING}) AND l.pool = k.pool) AS busy,
    (SELECT COUNT(*) FROM qflow.lane l JOIN qflow.task_instance t ON t.lane = l.id
        WHERE l.pool = k.pool AND t.state = {task.READY}) AS ready_tasks
FROM qflow.daemon_pool k
JOIN qflow.daemon w ON w.id = k.daemon_id
WHERE w.state = {daemon.READY} AND w.lease_ends_at > {clock}
;
{only: sqlite DROP VIEW IF EXISTS qflow.limits}
;
{replace_view} qflow.limits AS
SELECT k.name, k.capacity AS slots, k.used, k.source,
    (SELECT COUNT(*) FROM qflow.lane_limit m JOIN qflow.task_instance t ON t.lane = m.lane
        WHERE m.name = k.name AND t.state = {task.READY}) AS waiting,
    {instant: k.updated_at} AS updated_at, k.rates, {instant: k.frees_at} AS frees_at,
    CASE WHEN k.paused_at IS NULL THEN {instant: k.resumes_at} END AS resumes_at, k.pause_reason, k.set_by, k.note,
    {instant: k.paused_at} AS paused_at, k.paused_by, k.breaker,
    CASE WHEN k.breaker IS NULL THEN NULL WHEN k.tripped_at IS NULL THEN 'CLOSED' WHEN k.retries_at > {clock} THEN 'OPEN'
        ELSE 'HALF_OPEN' END AS breaker_state,
    {instant: k.tripped_at} AS tripped_at, {instant: k.retries_at} AS retries_at, k.trip_reason
FROM qflow.limit_key k
;
{only: sqlite DROP VIEW IF EXISTS qflow.daemons}
;
{replace_view} qflow.daemons AS
SELECT w.id, w.name, w.host, w.pid, w.version, {words: daemon w.state} AS state,
    (SELECT {names: k.pool} FROM qflow.daemon_pool k WHERE k.daemon_id = w.id) AS pools,
    {instant: w.started_at} AS started_at, {instant: w.seen_at} AS seen_at, w.memory_mb,
    {seconds: w.seen_at, w.lease_ends_at} AS lease_s
FROM qflow.daemon w
WHERE w.state IN ({daemon.READY}, {daemon.STOPPING}) AND w.lease_ends_at > {clock}
;
{only: sqlite DROP VIEW IF EXISTS qflow.audit_entries}
;
{replace_view} qflow.audit_entries AS
SELECT a.id, {instant: a.at} AS at, a.tenant, a.principal, a.token, a.session_id, a.address, a.request_id, a.action,
    a.object_type, a.object, a.changed_from, a.changed_to, a.command_id, a.submission_id, a.outcome
FROM qflow.audit a
;
{only: sqlite DROP VIEW IF EXISTS qflow.quotas}
;
{replace_view} qflow.quotas AS
SELECT q.tenant, q.name, q.value, q.set_by, {instant: q.updated_at} AS updated_at
FROM qflow.quota q
;
{only: sqlite DROP VIEW IF EXISTS qflow.usage_days}
;
{replace_view} qflow.usage_days AS
SELECT u.tenant, u.day, u.workflow, u.instances, u.tasks, u.failed, u.task_s, u.cpu_s, u.log_mb
FROM qflow.usage_day u
;
{only: sqlite DROP VIEW IF EXISTS qflow.calendar_overrides}
;
{replace_view} qflow.calendar_overrides AS
SELECT o.calendar, o.day, o.kind, NULLIF(o.hours, '') AS hours, o.reason, o.set_by, {instant: o.set_at} AS set_at, o.tenant
FROM qflow.calendar_override o
;
{only: sqlite DROP VIEW IF EXISTS qflow.backfills}
;
-- A date whose run failed, and was retried since, counts as what it is now.
{replace_view} qflow.backfills AS
SELECT y.id, y.tenant, y.workflow, y.state, y.first_date, y.last_date, y.calendar, y.only_missing, y.date_order, y.max_active,
    y.priority, y.params, y.day_window, y.timezone, y.total, y.done, y.failed, y.skipped, y.active,
    y.total - y.done - y.failed - y.skipped - y.active AS waiting,
    CASE WHEN y.state = 'DONE' THEN 1.0 ELSE ROUND(1.0 * (y.done + y.failed + y.skipped) / y.total, 4) END AS progress,
    CASE WHEN y.is_over = 0 AND y.done + y.failed > 0
        THEN y.run_s / (y.done + y.failed) * (y.total - y.done - y.failed - y.skipped) / y.max_active END AS remaining_s,
    CASE WHEN y.state = 'PAUSED' AND y.paused_by IS NOT NULL OR y.state IN ('STOPPING', 'STOPPED') AND y.paused_at IS NOT NULL THEN {concat:
            CASE y.state WHEN 'PAUSED' THEN 'paused' WHEN 'STOPPED' THEN 'stopped' ELSE 'is being stopped' END, ' by ', y.paused_by,
            CASE WHEN y.paused_at IS NULL THEN '' ELSE {concat: ' since ', {utc_text: y.paused_at}} END,
            CASE WHEN y.pause_reason IS NULL THEN '' ELSE {concat: ': ', y.pause_reason} END,
            CASE WHEN y.state = 'STOPPING' THEN {concat: '; runs that have not ended: ', y.active} ELSE '' END}
        WHEN y.state = 'STOPPING' THEN {concat: 'is being stopped; runs that have not ended: ', y.active}
        WHEN y.state <> 'RUNNING' THEN NULL
        WHEN NOT EXISTS (SELECT 1 FROM qflow.daemon x WHERE x.state = {daemon.READY} AND x.lease_ends_at > {clock})
            THEN 'no daemon is running'
        WHEN y.archived_at IS NOT NULL THEN {concat: 'workflow ', y.workflow, ' is archived'}
        WHEN y.enabled = 0 THEN {concat: 'workflow ', y.workflow, ' is disabled'}
        WHEN y.workflow_paused_at IS NOT NULL THEN {concat: 'workflow ', y.workflow, ' is paused'}
        WHEN y.resumes_at > {clock} THEN {concat: 'waits until ', {utc_text: y.resumes_at}, ': ', y.hold} END AS wait_reason,
    y.reason, y.requested_by, {instant: y.created_at} AS created_at, {instant: y.updated_at} AS updated_at,
    {instant: y.finished_at} AS finished_at
FROM (SELECT b.id, b.tenant, d.workflow, {words: backfill b.state} AS state, b.first_date, b.last_date,
        CASE WHEN b.calendar <> '' THEN b.calendar END AS calendar, b.only_missing,
        CASE WHEN b.newest_first = 1 THEN 'newest' ELSE 'oldest' END AS date_order, b.max_active, b.priority, b.params,
        CASE WHEN b.day_window <> '' THEN b.day_window END AS day_window, b.timezone, b.run_s, b.resumes_at, b.hold, b.paused_by,
        b.paused_at, b.pause_reason, b.reason, b.requested_by, b.created_at, b.updated_at, b.finished_at, d.archived_at, d.enabled,
        d.paused_at AS workflow_paused_at, CASE WHEN b.state >= {backfill.DONE} THEN 1 ELSE 0 END AS is_over,
        (SELECT COUNT(*) FROM qflow.backfill_date x WHERE x.backfill_id = b.id) AS total,
        (SELECT COUNT(*) FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.DONE})
            + (SELECT COUNT(*) FROM qflow.backfill_date x JOIN qflow.workflow_instance i ON i.id = x.submission_id
                WHERE x.backfill_id = b.id AND x.state = {of_date.FAILED} AND i.state = {instance.SUCCESS}) AS done,
        (SELECT COUNT(*) FROM qflow.backfill_date x LEFT JOIN qflow.workflow_instance i ON i.id = x.submission_id
            WHERE x.backfill_id = b.id AND x.state = {of_date.FAILED} AND COALESCE(i.state, {instance.FAILED}) > {instance.SUCCESS}) AS failed,
        (SELECT COUNT(*) FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.SKIPPED}) AS skipped,
        (SELECT COUNT(*) FROM qflow.backfill_date x WHERE x.backfill_id = b.id AND x.state = {of_date.ACTIVE})
            + (SELECT COUNT(*) FROM qflow.backfill_date x JOIN qflow.workflow_instance i ON i.id = x.submission_id
                WHERE x.backfill_id = b.id AND x.state = {of_date.FAILED} AND i.state < {instance.SUCCESS}) AS active
    FROM qflow.backfill b JOIN qflow.workflow_definition d ON d.id = b.definition_id) y
;
{only: sqlite DROP VIEW IF EXISTS qflow.backfill_dates}
;
{replace_view} qflow.backfill_dates AS
SELECT x.backfill_id, x.place, x.business_date,
    {words: of_date CASE WHEN x.state = {of_date.FAILED} AND i.state < {instance.SUCCESS} THEN {of_date.ACTIVE}
        WHEN x.state = {of_date.FAILED} AND i.state = {instance.SUCCESS} THEN {of_date.DONE} ELSE x.state END} AS state,
    i.id AS instance_id, {words: instance i.state} AS instance_state,
    CASE WHEN x.state = {of_date.FAILED} THEN COALESCE(i.error, s.error) END AS error,
    {seconds: i.started_at, i.finished_at} AS duration_s, b.tenant
FROM qflow.backfill_date x
JOIN qflow.backfill b ON b.id = x.backfill_id
LEFT JOIN qflow.workflow_instance i ON i.id = x.submission_id
LEFT JOIN qflow.submissions s ON s.id = x.submission_id AND i.id IS NULL
;
{only: sqlite DROP VIEW IF EXISTS qflow.session_runs}
;
-- The sessions of a workflow's calendar, each with the instance for it that counts: the latest that succeeded, or the latest.
-- Subqueries stand where MySQL can still merge the view.
{replace_view} qflow.session_runs AS
SELECT d.tenant, d.workflow, w.calendar, c.day AS business_date, {words: instance i.state} AS state, i.id AS instance_id,
    CASE WHEN c.over_at <= {clock} AND (w.next_at IS NULL OR w.next_at <= {clock} OR c.day < w.next_day) THEN 1 ELSE 0 END AS is_due,
    CASE WHEN c.day >= f.business_date THEN 1 ELSE 0 END AS has_begun
FROM qflow.workflow_definition d
JOIN qflow.session_workflow w ON w.definition_id = d.id
JOIN qflow.session_day c ON c.set_id = w.set_id
LEFT JOIN qflow.dated_run f ON f.definition_id = d.id AND f.business_date = (
    SELECT MIN(x.business_date) FROM qflow.dated_run x WHERE x.definition_id = d.id)
LEFT JOIN qflow.workflow_instance i ON i.id = COALESCE(
    (SELECT MAX(x.id) FROM qflow.workflow_instance x WHERE x.business_date = c.day AND x.definition_id = d.id AND x.state = {instance.SUCCESS}),
    (SELECT MAX(x.id) FROM qflow.workflow_instance x WHERE x.business_date = c.day AND x.definition_id = d.id))
WHERE d.archived_at IS NULL
;
{only: sqlite DROP VIEW IF EXISTS qflow.gaps}
;
{replace_view} qflow.gaps AS
SELECT g.tenant, g.workflow, g.calendar, g.business_date, g.state, g.instance_id
FROM qflow.session_runs g
WHERE g.is_due = 1 AND g.has_begun = 1 AND (g.state IS NULL OR g.state <> 'SUCCESS')
;
{only: sqlite DROP VIEW IF EXISTS qflow.own_calendars}
;
{replace_view} qflow.own_calendars AS
SELECT c.name, c.kind, c.title, c.document, c.set_by, {instant: c.set_at} AS set_at, c.tenant
FROM qflow.own_calendar c
;
{only: sqlite DROP VIEW IF EXISTS qflow.late_dates}
;
-- Dates that had no good run by when one was expected, each with the instance for it that counts: the latest that succeeded, or
-- the latest.
{replace_view} qflow.late_dates AS
SELECT l.id, l.tenant, d.workflow, l.business_date, {instant: l.expected_at} AS expected_at, {instant: l.noticed_at} AS noticed_at,
    CASE WHEN l.ended_at IS NOT NULL THEN {instant: l.ended_at} ELSE (SELECT {instant: MIN(x.finished_at)}
        FROM qflow.workflow_instance x WHERE x.business_date = l.business_date AND x.definition_id = l.definition_id
        AND x.state = {instance.SUCCESS}) END AS ended_at,
    {words: instance i.state} AS state, i.id AS instance_id
FROM qflow.late_date l
JOIN qflow.workflow_definition d ON d.id = l.definition_id
LEFT JOIN qflow.workflow_instance i ON i.id = COALESCE(
    (SELECT MAX(x.id) FROM qflow.workflow_instance x WHERE x.business_date = l.business_date AND x.definition_id = l.definition_id AND x.state = {instance.SUCCESS}),
    (SELECT MAX(x.id) FROM qflow.workflow_instance x WHERE x.business_date = l.business_date AND x.definition_id = l.definition_id))
;
{only: sqlite DROP VIEW IF EXISTS qflow.events}
;
{replace_view} qflow.events AS
SELECT e.id, e.tenant, e.event, e.workflow, e.instance_id, e.business_date, e.calendar, {instant: e.at} AS at, e.data
FROM qflow.event e
