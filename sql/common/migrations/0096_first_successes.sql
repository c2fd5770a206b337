-- When an instance that had succeeded was run again: when it had succeeded first, which is what counts as the fact.
ALTER TABLE qflow.workflow_instance ADD COLUMN first_success_at {instant}
