-- It also runs when its instance is terminated: `run_on: terminate`.
ALTER TABLE qflow.workflow_node ADD COLUMN runs_on_terminate {smallint} NOT NULL DEFAULT 0
