-- Tenants that have walls: what they may have open, submit a day, run at once. `revision` rises with whatever a row or its quotas
-- say, so an admission knows without asking whether what it remembers is true. `submissions`: accepted on `counted_day`; it moves
-- in the transaction that accepts them, which has locked this row. A tenant without a row has no walls.
CREATE TABLE IF NOT EXISTS qflow.tenant (
    name {key} NOT NULL PRIMARY KEY,
    title {text} NOT NULL,
    state {word} NOT NULL,
    revision {int} NOT NULL,
    counted_day {date},
    submissions {int} NOT NULL DEFAULT 0,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
-- `value`: a whole number, or a JSON list of patterns.
CREATE TABLE IF NOT EXISTS qflow.quota (
    tenant {key} NOT NULL,
    name {word} NOT NULL,
    value {text} NOT NULL,
    set_by {text},
    updated_at {instant} NOT NULL,
    PRIMARY KEY (tenant, name)
) {table}
;
-- What instances that have ended used, by the day (UTC) on which they ended. `workflow`: of a single job, the job.
CREATE TABLE IF NOT EXISTS qflow.usage_day (
    tenant {key} NOT NULL,
    day {date} NOT NULL,
    workflow {key} NOT NULL,
    instances {bigint} NOT NULL,
    tasks {bigint} NOT NULL,
    failed {bigint} NOT NULL,
    task_s {double} NOT NULL,
    cpu_s {double} NOT NULL,
    log_mb {double} NOT NULL,
    PRIMARY KEY (tenant, day, workflow)
) {table}
;
-- Of instances of tenants that have a row: 1 while it is open, 2 from its end until its usage is added up; else NULL.
ALTER TABLE qflow.workflow_instance ADD COLUMN meter {smallint}
;
-- What ended until then is in the usage already: of an instance that was retried, only what came later is added.
ALTER TABLE qflow.workflow_instance ADD COLUMN metered_until {instant}
;
-- Without tenants it is empty (MySQL: its entries come in the order of ids).
-- Serves count_open_of_tenants and list_unmetered.
{index: workflow_instance_meter ON qflow.workflow_instance (meter, tenant, id) WHERE meter IS NOT NULL | (meter, tenant, id)}
;
-- Serves note_command_done.
{index: audit_command ON qflow.audit (command_id) WHERE command_id IS NOT NULL | (command_id)}
;
