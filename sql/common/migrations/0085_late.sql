-- Of workflows that say by when their runs are expected (kind 0) or stopped (1): what the active version says, its calendar
-- ('' for none), and the latest date whose run was looked for; NULL: the service looks from now on.
CREATE TABLE IF NOT EXISTS qflow.expectation (
    definition_id {bigint} NOT NULL,
    kind {smallint} NOT NULL,
    due_by {word} NOT NULL,
    calendar {word} NOT NULL,
    judged_day {date},
    PRIMARY KEY (definition_id, kind)
) {table}
;
-- Dates that had no good run by then. `ended_at`: since when it is not late any more, because one succeeded, or none is expected.
CREATE TABLE IF NOT EXISTS qflow.late_date (
    id {identity},
    tenant {key} NOT NULL,
    definition_id {bigint} NOT NULL,
    business_date {date} NOT NULL,
    expected_at {instant} NOT NULL,
    noticed_at {instant} NOT NULL,
    ended_at {instant},
    CONSTRAINT late_date_key UNIQUE (definition_id, business_date)
) {table}
;
-- Serves list_open_late_dates.
{index: late_date_open ON qflow.late_date (id) WHERE ended_at IS NULL | (ended_at, id)}
;
-- Serves the view late_dates.
{index: late_date_tenant ON qflow.late_date (tenant, id) | (tenant, id)}
;
