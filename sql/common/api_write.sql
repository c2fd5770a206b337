-- What the HTTP API writes and waits for: keys of requests, answers, batches.

-- name: insert_http_key
-- Who comes second waits for the first to commit, and then finds it.
INSERT INTO qflow.http_key (tenant, name, content_hash, request, created_at)
VALUES (:tenant, :name, :content_hash, :request, :now)
{ignored: http_key.request}

-- name: load_http_key
SELECT k.content_hash, k.request, k.answer FROM qflow.http_key k WHERE k.tenant = :tenant AND k.name = :name

-- name: answer_http_key
UPDATE qflow.http_key SET answer = :answer WHERE tenant = :tenant AND name = :name

-- name: delete_old_http_key
-- One that is used again after its time.
DELETE FROM qflow.http_key WHERE tenant = :tenant AND name = :name AND created_at < :since

-- name: delete_old_http_keys
DELETE FROM qflow.http_key WHERE created_at < :since

-- name: find_answered
-- Of rows that requests wait for, those that have come so far, or are gone. Kinds: 1 a submission, 2 a command, 3 an instance,
-- 4 a submission and the instance that it becomes, 5 a task.
SELECT d.kind, d.id
FROM {rows: kind int, id bigint, tenant text} d
LEFT JOIN qflow.submissions s ON d.kind IN (1, 4) AND s.id = d.id AND s.tenant = d.tenant
LEFT JOIN qflow.commands c ON d.kind = 2 AND c.id = d.id AND c.tenant = d.tenant
LEFT JOIN qflow.workflow_instance i ON i.id = CASE d.kind WHEN 3 THEN d.id WHEN 4 THEN s.instance_id END AND i.tenant = d.tenant
LEFT JOIN qflow.task_instance t ON d.kind = 5 AND t.id = d.id
WHERE (d.kind IN (1, 4) AND (s.id IS NULL OR s.state = 'REJECTED'))
    OR (d.kind = 1 AND s.is_open = 0)
    OR (d.kind = 2 AND (c.id IS NULL OR c.is_open = 0))
    OR (d.kind = 3 AND (i.id IS NULL OR i.state >= {instance.SUCCESS}))
    OR (d.kind = 4 AND s.is_open = 0 AND i.state >= {instance.SUCCESS})
    OR (d.kind = 5 AND (t.id IS NULL OR t.state >= {task.SUCCESS}))

-- name: show_submission_answers
SELECT s.id, s.workflow, s.version, s.job, s.name, s.state, s.is_open, s.instance_id, s.error, s.error_code, s.submitted_by, s.created_at,
    s.answered_at
FROM {rows: id bigint} r JOIN qflow.submissions s ON s.id = r.id AND s.tenant = :tenant

-- name: show_command_answers
SELECT c.id, c.action, c.instance_id, c.workflow, c.task, c.task_id, c.filter, c.args, c.reason, c.requested_by, c.created_at, c.state,
    c.is_open, c.is_batch, c.result, c.error, c.error_code, c.answered_at
FROM {rows: id bigint} r JOIN qflow.commands c ON c.id = r.id AND c.tenant = :tenant

-- name: list_batches
SELECT c.id, c.action, c.instance_id, c.workflow, c.task, c.task_id, c.filter, c.args, c.reason, c.requested_by, c.created_at, c.state,
    c.is_open, c.is_batch, c.result, c.error, c.error_code, c.answered_at
FROM qflow.commands c WHERE c.tenant = :tenant AND c.is_batch = 1 AND c.id < :before
ORDER BY c.id DESC LIMIT {literal: batch}

-- name: find_targets
-- What instances run, and what submissions ask for that are none yet.
SELECT r.id, COALESCE(d.workflow, s.workflow) AS workflow, COALESCE(v.version, s.version) AS version, COALESCE(i.job, s.job) AS job
FROM {rows: id bigint} r
LEFT JOIN qflow.workflow_instance i ON i.id = r.id AND i.tenant = :tenant
LEFT JOIN qflow.workflow_version v ON v.id = i.version_id
LEFT JOIN qflow.workflow_definition d ON d.id = v.definition_id
LEFT JOIN qflow.submissions s ON s.id = r.id AND s.tenant = :tenant
WHERE i.id IS NOT NULL OR s.id IS NOT NULL

-- name: list_jobs_of_workflow
-- Jobs that a version of a workflow calls, those of the workflows that it starts among them, and those that undo; with the settings
-- of those that are registered, which name what undoes them. 0: of the versions that a new instance may run.
WITH RECURSIVE run (version_id) AS (
    SELECT v.id FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.definition_id = d.id
    WHERE d.tenant = :tenant AND d.workflow = :workflow
        AND (v.version = :version OR (:version = 0 AND (v.id = d.active_version OR v.id = d.canary_version)))
    UNION
    SELECT v.id FROM run r JOIN qflow.workflow_need n ON n.version_id = r.version_id AND n.kind = 'workflow'
    JOIN qflow.workflow_definition d ON d.tenant = :tenant AND d.workflow = n.name
    JOIN qflow.workflow_version v ON v.definition_id = d.id AND (v.id = d.active_version OR v.id = d.canary_version)
)
SELECT DISTINCT n.name AS job, j.settings FROM run r JOIN qflow.workflow_need n ON n.version_id = r.version_id AND n.kind = 'job'
LEFT JOIN qflow.job j ON j.name = n.name

-- name: list_started_workflows
-- Workflows that the tasks of a version start.
SELECT n.name AS workflow FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.definition_id = d.id
JOIN qflow.workflow_need n ON n.version_id = v.id AND n.kind = 'workflow'
WHERE d.tenant = :tenant AND d.workflow = :workflow AND v.version = :version ORDER BY n.name

-- name: find_newest_failed
SELECT MAX(i.id) AS id FROM qflow.workflow_instance i
JOIN qflow.workflow_version v ON v.id = i.version_id
WHERE v.definition_id = :definition_id AND i.tenant = :tenant AND i.state = {instance.FAILED}

-- name: find_version_of_text
-- The newest that was made of a text.
SELECT MAX(v.version) AS version FROM qflow.workflow_version v WHERE v.definition_id = :definition_id AND v.hash = :hash
