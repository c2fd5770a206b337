-- A workflow that nobody runs any more; what it did stays.
ALTER TABLE qflow.workflow_definition ADD COLUMN archived_at {instant}
;
ALTER TABLE qflow.workflow_definition ADD COLUMN archive_note {text}
;
