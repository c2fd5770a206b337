-- Files that tasks wait for, each with the fence that its row has while it waits. `pool`: of which daemons look, '' for all;
-- `wanted`: JSON; `remark`: what a daemon has seen last; `found`: the output.
CREATE TABLE IF NOT EXISTS qflow.file_wait (
    task_id {bigint_key},
    fence {int} NOT NULL,
    is_open {smallint} NOT NULL DEFAULT 1,
    pool {key} NOT NULL,
    wanted {text} NOT NULL,
    remark {text},
    found {text}
) {table}
;
-- Serves list_open_looks.
{index: file_wait_open ON qflow.file_wait (task_id) WHERE is_open = 1 | (is_open, task_id)}
;
