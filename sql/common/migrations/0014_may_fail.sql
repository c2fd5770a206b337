-- Its failure does not fail the instance: `on_failure: continue`.
ALTER TABLE qflow.workflow_node ADD COLUMN may_fail {smallint} NOT NULL DEFAULT 0
