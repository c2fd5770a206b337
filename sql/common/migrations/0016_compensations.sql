-- Which row a compensation undoes.
CREATE TABLE IF NOT EXISTS qflow.compensation (
    task_id {bigint_key},
    target {bigint} NOT NULL
) {table}
;
-- `child` waits for `parent`: between rows whose order does not follow from their version.
CREATE TABLE IF NOT EXISTS qflow.instance_edge (
    parent {bigint} NOT NULL,
    child {bigint} NOT NULL,
    PRIMARY KEY (parent, child)
) {table}
;
-- Is an instance of it undone when it fails?
ALTER TABLE qflow.workflow_version ADD COLUMN saga {smallint} NOT NULL DEFAULT 0
;
