-- Of the head of a map: where the ordinals of its items begin, how many items there are, how many of them have a row.
CREATE TABLE IF NOT EXISTS qflow.fan_out (
    task_id {bigint_key},
    first_ordinal {int} NOT NULL,
    items {int} NOT NULL,
    opened {int} NOT NULL
) {table}
;
-- What people call an item of a map.
ALTER TABLE qflow.task_instance ADD COLUMN label {text}
;
