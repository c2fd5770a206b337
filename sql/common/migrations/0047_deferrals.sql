-- Tasks that have begun and put themselves off. A deferral leaves no attempt, and a saga undoes all that has begun.
CREATE TABLE IF NOT EXISTS qflow.deferral (
    task_id {bigint_key},
    deferred_at {instant} NOT NULL -- the first time
) {table}
;
