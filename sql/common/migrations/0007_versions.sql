-- Who made a version the active one, when, in place of which, and why; and what a file said last, whichever version is active.
ALTER TABLE qflow.workflow_version ADD COLUMN source {word}
;
ALTER TABLE qflow.workflow_version ADD COLUMN file {text}
;
ALTER TABLE qflow.workflow_version ADD COLUMN activated_at {instant}
;
-- By a command; null where its file or its program made it active.
ALTER TABLE qflow.workflow_version ADD COLUMN activated_by {text}
;
ALTER TABLE qflow.workflow_version ADD COLUMN replaced {int}
;
ALTER TABLE qflow.workflow_version ADD COLUMN note {text}
;
ALTER TABLE qflow.workflow_definition ADD COLUMN source_hash {word}
;
UPDATE qflow.workflow_version SET activated_at = created_at, replaced = CASE WHEN version > 1 THEN version - 1 END,
    source = (SELECT d.source FROM qflow.workflow_definition d WHERE d.id = definition_id),
    file = (SELECT d.file FROM qflow.workflow_definition d WHERE d.id = definition_id)
;
UPDATE qflow.workflow_definition SET source_hash =
    (SELECT v.hash FROM qflow.workflow_version v WHERE v.id = active_version)
;
