-- Sessions as rows, for as long as workflows go by them: of a tenant's calendar, all or those that a schedule's `days` names.
-- `hash`: of its days; who writes them changes it first.
CREATE TABLE IF NOT EXISTS qflow.session_set (
    id {identity},
    tenant {word} NOT NULL,
    calendar {word} NOT NULL,
    days {word} NOT NULL,
    hash {word} NOT NULL,
    CONSTRAINT session_set_key UNIQUE (tenant, calendar, days)
) {table}
;
-- `over_at`: when the session has closed; of work days, the midnight after.
CREATE TABLE IF NOT EXISTS qflow.session_day (
    set_id {bigint} NOT NULL,
    day {date} NOT NULL,
    over_at {instant} NOT NULL,
    PRIMARY KEY (set_id, day)
) {table}
;
-- Which sessions a workflow is for, as its version `version_id` says; `set_id` is NULL without a calendar. The earliest day
-- that its schedules are still to fire for, and when.
CREATE TABLE IF NOT EXISTS qflow.session_workflow (
    definition_id {bigint_key},
    version_id {bigint} NOT NULL,
    calendar {word} NOT NULL,
    set_id {bigint},
    next_day {date},
    next_at {instant}
) {table}
;
