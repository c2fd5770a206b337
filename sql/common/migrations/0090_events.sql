-- What has happened, in words, for people and programs that follow it. `once_key`: what may be told only once, else NULL.
CREATE TABLE IF NOT EXISTS qflow.event (
    id {identity},
    tenant {key} NOT NULL,
    event {word} NOT NULL,
    workflow {key},
    instance_id {bigint},
    business_date {date},
    calendar {word},
    at {instant} NOT NULL,
    data {text} NOT NULL,
    once_key {key},
    CONSTRAINT event_once UNIQUE (tenant, event, once_key)
) {table}
;
-- Serves the view events.
{index: event_tenant ON qflow.event (tenant, id) | (tenant, id)}
;
