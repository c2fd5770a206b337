-- Tasks that are being run and that a person has terminated. Whoever holds one stops it; a row goes when its task has ended.
-- `fence`: of the attempt that ran when it was asked for.
CREATE TABLE IF NOT EXISTS qflow.task_stop (
    task_id {bigint_key},
    fence {int} NOT NULL
) {table}
;
