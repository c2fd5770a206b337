-- Where a command for many instances continues; its own columns belong to clients.
CREATE TABLE IF NOT EXISTS qflow.bulk_command (
    id {bigint_key},
    progress {text} NOT NULL
) {table}
;
-- The pause of a workflow; `updated_at` belongs to its file.
ALTER TABLE qflow.workflow_definition ADD COLUMN paused_at {instant}
;
ALTER TABLE qflow.workflow_definition ADD COLUMN paused_by {text}
;
ALTER TABLE qflow.workflow_definition ADD COLUMN pause_reason {text}
;
-- 1: an instance is paused because its workflow is.
ALTER TABLE qflow.workflow_instance ADD COLUMN pause_scope {smallint} NOT NULL DEFAULT 0
