-- Tasks that workflows share: types (a job, the schema of its params, defaults) and definitions made of them.
CREATE TABLE IF NOT EXISTS qflow.task_definition (
    id {identity},
    tenant {word} NOT NULL DEFAULT 'default',
    name {key} NOT NULL,
    kind {word} NOT NULL,
    job {key},
    type {key},
    document {text} NOT NULL,
    source_text {text} NOT NULL,
    format {word} NOT NULL,
    hash {word} NOT NULL,
    note {text},
    updated_by {text},
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    archived_at {instant},
    CONSTRAINT task_definition_key UNIQUE (tenant, name)
) {table}
;
-- Which definition a node was made of.
ALTER TABLE qflow.workflow_node ADD COLUMN definition {key}
;
