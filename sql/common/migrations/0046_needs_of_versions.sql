-- What the tasks of a version name: a `job`, or another `workflow`. Each once, so that a list of workflows can tell in a moment
-- which of them names what is not there.
CREATE TABLE IF NOT EXISTS qflow.workflow_need (
    version_id {bigint} NOT NULL,
    kind {word} NOT NULL,
    name {key} NOT NULL,
    PRIMARY KEY (version_id, kind, name)
) {table}
;
INSERT INTO qflow.workflow_need (version_id, kind, name)
SELECT DISTINCT n.version_id, 'job', n.job FROM qflow.workflow_node n WHERE n.job <> '' {ignored: workflow_need.kind}
;
