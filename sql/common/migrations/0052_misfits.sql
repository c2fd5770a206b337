-- How the params of a version's tasks do not fit this job; null: they fit, or no daemon has registered it yet.
ALTER TABLE qflow.workflow_need ADD COLUMN problem {text}
;
