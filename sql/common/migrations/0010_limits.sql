-- Slots that tasks of all daemons share. `used`: what RESERVED and RUNNING rows hold; it moves in the transaction that gives a
-- row its owner or takes it away. source: default (nobody has set it), config, command.
CREATE TABLE IF NOT EXISTS qflow.limit_key (
    name {key} NOT NULL PRIMARY KEY,
    capacity {int} NOT NULL,
    used {int} NOT NULL DEFAULT 0,
    source {word} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
-- What a row of a lane takes of each limit: lane.limits as rows.
CREATE TABLE IF NOT EXISTS qflow.lane_limit (
    lane {int} NOT NULL,
    name {key} NOT NULL,
    weight {int} NOT NULL,
    PRIMARY KEY (lane, name)
) {table}
;
-- Serves list_miscounted and the view limits.
{index: lane_limit_name ON qflow.lane_limit (name, lane) | (name, lane)}
;
