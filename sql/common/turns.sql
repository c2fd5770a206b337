-- Turns: instances that share a concurrency key run one after the other. Who decides about a key has locked its row first.

-- name: lock_turns
-- Makes the rows that are missing. Who ends an instance does not lock its key.
INSERT INTO qflow.run_key (tenant, purpose, run_key, instance_id, content_hash)
SELECT '', 2, r.run_key, 0, '' FROM {rows: run_key text} r WHERE 1 = 1
{upsert: tenant, purpose, run_key} content_hash = {excluded: content_hash}

-- name: delete_run_key
-- A submission that is skipped gives its idempotency key back.
DELETE FROM qflow.run_key WHERE tenant = :tenant AND purpose = :purpose AND run_key = :run_key AND instance_id = :instance_id

-- name: list_running_of
SELECT i.id, i.concurrency_key FROM {rows: run_key text} r JOIN qflow.workflow_instance i ON i.concurrency_key = r.run_key
WHERE i.state < {instance.SUCCESS} AND i.state >= {instance.RUNNING} ORDER BY i.id

-- name: list_queued_of
-- The first in the queue of each key.
SELECT r.run_key AS concurrency_key, (SELECT i.id FROM qflow.workflow_instance i WHERE i.concurrency_key = r.run_key
    AND i.state < {instance.SUCCESS} AND i.state = {instance.READY} ORDER BY i.id LIMIT 1) AS id
FROM {rows: run_key text} r

-- name: list_queues
-- Keys for which somebody waits: the first in the queue, and how many run. From key to key, however many wait for each.
-- In a paused workflow nobody has a turn.
{only: postgres,sqlite WITH RECURSIVE k (concurrency_key) AS (
    SELECT MIN(w.concurrency_key) FROM qflow.workflow_instance w
    WHERE w.concurrency_key IS NOT NULL AND w.state < {instance.SUCCESS} AND w.state = {instance.READY}
    UNION ALL SELECT (SELECT MIN(w.concurrency_key) FROM qflow.workflow_instance w
        WHERE w.concurrency_key > k.concurrency_key AND w.state < {instance.SUCCESS} AND w.state = {instance.READY})
    FROM k WHERE k.concurrency_key IS NOT NULL)}
SELECT q.concurrency_key, q.id, i.version_id, i.tenant, d.workflow, (SELECT COUNT(*) FROM qflow.workflow_instance r
    WHERE r.concurrency_key = q.concurrency_key AND r.state < {instance.SUCCESS} AND r.state >= {instance.RUNNING}) AS running
FROM ({only: postgres,sqlite SELECT k.concurrency_key, (SELECT w.id FROM qflow.workflow_instance w
        WHERE w.concurrency_key = k.concurrency_key AND w.state < {instance.SUCCESS} AND w.state = {instance.READY}
        ORDER BY w.id LIMIT 1) AS id FROM k WHERE k.concurrency_key IS NOT NULL}
    {only: mysql SELECT w.concurrency_key, MIN(w.id) AS id FROM qflow.workflow_instance w
        WHERE w.concurrency_key IS NOT NULL AND w.state = {instance.READY} GROUP BY w.concurrency_key}) q
JOIN qflow.workflow_instance i ON i.id = q.id
JOIN qflow.workflow_version v ON v.id = i.version_id
JOIN qflow.workflow_definition d ON d.id = v.definition_id WHERE d.paused_at IS NULL
ORDER BY q.id

-- name: queue_instance
-- One that was submitted with hold is resumed, and another one runs.
UPDATE qflow.workflow_instance SET concurrency_key = :concurrency_key, updated_at = :now
WHERE id = :id AND state = {instance.READY} AND concurrency_key IS NULL

-- name: end_queued
-- It never began: another one took its place, or it cannot begin.
UPDATE qflow.workflow_instance SET state = :state, reason = :reason, error = :error, open_closers = 0, succeeded = 0,
    failed = 0, skipped = 0, finished_at = :now, updated_at = :now, meter = CASE WHEN meter = 1 THEN 2 ELSE meter END
WHERE id = :id AND state = {instance.READY}
