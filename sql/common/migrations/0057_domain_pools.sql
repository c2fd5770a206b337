-- Where tasks run that name no pool, by the domain of their workflow. An instance keeps the pool that its domain had when it
-- was submitted: rows that are added to it later stand in the same one.
CREATE TABLE IF NOT EXISTS qflow.domain_pool (
    domain {key} NOT NULL PRIMARY KEY,
    pool {key} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
ALTER TABLE qflow.workflow_instance ADD COLUMN default_pool {key}
;
