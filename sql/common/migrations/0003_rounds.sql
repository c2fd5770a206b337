-- How often a person had the row start anew: part of its idempotency key, and of the key of its output in a daemon's memory.
ALTER TABLE qflow.task_instance ADD COLUMN round {int} NOT NULL DEFAULT 0
;
