-- Mutes of groups of failures: those of one workflow, task and class of error.

-- name: insert_mute
INSERT INTO qflow.failure_mute (tenant, workflow, task, error_class, muted_at, ends_at, muted_by, reason)
VALUES (:tenant, :workflow, :task, :error_class, :now, :until_at, :muted_by, :reason)

-- name: end_mutes
UPDATE qflow.failure_mute SET ends_at = :now
WHERE tenant = :tenant AND workflow = :workflow AND task = :task AND error_class = :error_class AND ends_at > :now

-- name: list_mutes
-- Of a group the last one counts.
SELECT m.workflow, m.task, m.error_class, m.ends_at, m.muted_by, m.reason FROM qflow.failure_mute m
WHERE m.tenant = :tenant AND m.ends_at > :now ORDER BY m.id
