-- What a task that has spawned others waits for has counters of its own: those of its row may still change, because a task
-- with the rule any_success begins before all its parents have ended.
ALTER TABLE qflow.spawner ADD COLUMN open_tasks {int} NOT NULL DEFAULT 0
;
ALTER TABLE qflow.spawner ADD COLUMN bad_tasks {int} NOT NULL DEFAULT 0
;
