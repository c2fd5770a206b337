-- What people of a tenant say of single days of a calendar, over what its file says. `hours`: '' for those of every session.
CREATE TABLE IF NOT EXISTS qflow.calendar_override (
    tenant {key} NOT NULL,
    calendar {word} NOT NULL,
    day {date} NOT NULL,
    kind {word} NOT NULL,
    hours {text} NOT NULL,
    reason {text} NOT NULL,
    set_by {text},
    set_at {instant} NOT NULL,
    PRIMARY KEY (tenant, calendar, day)
) {table}
;
-- It rises with whatever a tenant says of its calendars, so daemons know by one small read what to read again. Who changes
-- calendars locks it; who plans a schedule shares it, so neither goes by what the other is changing.
CREATE TABLE IF NOT EXISTS qflow.calendar_revision (
    tenant {key} NOT NULL PRIMARY KEY,
    revision {bigint} NOT NULL
) {table}
;
