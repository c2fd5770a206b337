-- Of a task that a running one asked for, beside what it shares with all rows: its name among those of one attempt, its
-- own settings as JSON, and how many tasks stand above it that asked for one another. It waits as `instance_edge` says.
CREATE TABLE IF NOT EXISTS qflow.spawned (
    task_id {bigint_key},
    name {text} NOT NULL,
    settings {text} NOT NULL,
    depth {smallint} NOT NULL
) {table}
;
-- Of a task that has spawned others: their ordinals follow one another. `returned`: its output is what it returned, and
-- not theirs.
CREATE TABLE IF NOT EXISTS qflow.spawner (
    task_id {bigint_key},
    first_ordinal {int} NOT NULL,
    tasks {int} NOT NULL,
    returned {smallint} NOT NULL
) {table}
;
-- Serves load_spawned_sources.
{index: instance_edge_child ON qflow.instance_edge (child) | (child)}
;
