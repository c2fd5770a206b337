-- Which task waits for which, so that views name what a task waits for. Versions stored before have no rows here.
-- `is_each`: both are maps of one list, and an item waits only for the same item of `parent`.
CREATE TABLE IF NOT EXISTS qflow.workflow_edge (
    version_id {bigint} NOT NULL,
    node {int} NOT NULL,
    parent {int} NOT NULL,
    is_each {smallint} NOT NULL,
    PRIMARY KEY (version_id, node, parent)
) {table}
;
