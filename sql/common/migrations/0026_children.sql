-- Which task started an instance, and waits for it: `workflow: NAME`. `fence`: the one that the task's row has meanwhile.
-- `asked`: the intent that the instance was told last because of its parent; `command_id`: what must be answered first.
CREATE TABLE IF NOT EXISTS qflow.child (
    task_id {bigint} NOT NULL,
    instance_id {bigint} NOT NULL,
    parent_id {bigint} NOT NULL, -- the instance of the task
    fence {int} NOT NULL,
    depth {smallint} NOT NULL, -- 1: the parent is nobody's child
    is_open {smallint} NOT NULL,
    is_current {smallint} NOT NULL, -- 0: the task was run anew, and starts another one
    asked {smallint} NOT NULL DEFAULT 0,
    command_id {bigint},
    created_at {instant} NOT NULL,
    PRIMARY KEY (task_id, instance_id)
) {table}
;
-- Serves list_ready_starts and the view instances.
{index: child_instance ON qflow.child (instance_id) | (instance_id)}
;
-- Serves list_ended_children, list_untold_children and count_open_children.
{index: child_open ON qflow.child (instance_id) WHERE is_open = 1 | (is_open, instance_id)}
