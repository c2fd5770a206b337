-- Drafts that people edit: who made one, what it was copied from, what is wrong with it, and whether anything has run it.
ALTER TABLE qflow.workflow_version ADD COLUMN created_by {text}
;
-- JSON list of {where, message}; its document is empty then, and it can be neither run nor activated. Null: none.
ALTER TABLE qflow.workflow_version ADD COLUMN faults {text}
;
-- Hash of the version that was active when the draft was begun.
ALTER TABLE qflow.workflow_version ADD COLUMN base_hash {word}
;
-- A draft that an instance has run, or may run, is not changed any more: the instance reads it again after a restart.
ALTER TABLE qflow.workflow_version ADD COLUMN has_run {smallint} NOT NULL DEFAULT 0
;
UPDATE qflow.workflow_version SET has_run = 1
;
