-- Why an instance is paused; `paused_by` says who, `updated_at` since when.
ALTER TABLE qflow.workflow_instance ADD COLUMN pause_reason {text}
