-- Calendars that a tenant has imported, beside those that ship. `document`: JSON, as files of calendars are, or the names of
-- those that it is made of.
CREATE TABLE IF NOT EXISTS qflow.own_calendar (
    tenant {key} NOT NULL,
    name {word} NOT NULL,
    kind {word} NOT NULL,
    title {text} NOT NULL,
    document {text} NOT NULL,
    set_by {text},
    set_at {instant} NOT NULL,
    PRIMARY KEY (tenant, name)
) {table}
;
