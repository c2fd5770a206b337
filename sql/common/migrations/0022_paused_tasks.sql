-- Tasks that people paused: of one instance, or (instance_id 0) of every instance of a workflow. is_paused 0: it runs in
-- this instance although its workflow says otherwise.
CREATE TABLE IF NOT EXISTS qflow.paused_task (
    definition_id {bigint} NOT NULL,
    instance_id {bigint} NOT NULL,
    task {key} NOT NULL,
    is_paused {smallint} NOT NULL,
    paused_by {text},
    pause_reason {text},
    paused_at {instant} NOT NULL,
    PRIMARY KEY (definition_id, instance_id, task)
) {table}
;
-- Nodes whose rows are to be HELD or READY, as paused_task says now. `command_id`: the newest command that asked for it.
CREATE TABLE IF NOT EXISTS qflow.task_sweep (
    instance_id {bigint} NOT NULL,
    node {int} NOT NULL,
    command_id {bigint} NOT NULL,
    PRIMARY KEY (instance_id, node)
) {table}
