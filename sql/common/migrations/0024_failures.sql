-- Of tasks that failed: what a person has handled. A later failure of the row has another fence. The end of a task writes nothing here.
CREATE TABLE IF NOT EXISTS qflow.failure (
    task_id {bigint} NOT NULL,
    fence {int} NOT NULL,
    handled_at {instant},
    handled_by {text},
    note {text},
    PRIMARY KEY (task_id, fence)
) {table}
;
{only: postgres,sqlite
-- Serves the view failures.
{index: task_instance_failed ON qflow.task_instance (id) WHERE state = {task.FAILED} | (state, lane, priority, id)}
}
;
