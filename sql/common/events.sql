-- Events: what daemons have noticed. The view events is made of these rows.

-- name: insert_late_events
-- Of dates that this transaction has noted; those that stood there before were told then.
INSERT INTO qflow.event (tenant, event, workflow, instance_id, business_date, at, data)
SELECT l.tenant, 'workflow.late', d.workflow, (SELECT MAX(i.id) FROM qflow.workflow_instance i
        WHERE i.business_date = l.business_date AND i.definition_id = l.definition_id), l.business_date, :now, r.data
FROM {rows: definition_id bigint, business_date date, data text} r
JOIN qflow.late_date l ON l.definition_id = r.definition_id AND l.business_date = r.business_date AND l.noticed_at = :now
JOIN qflow.workflow_definition d ON d.id = l.definition_id

-- name: insert_horizon_events
INSERT INTO qflow.event (tenant, event, calendar, at, data, once_key)
SELECT r.tenant, 'calendar.horizon', r.calendar, :now, r.data, r.once_key
FROM {rows: tenant text, calendar text, data text, once_key text} r WHERE 1 = 1
{ignored: event.tenant}

-- name: find_horizons
-- By calendar, each last day that was told of.
SELECT e.calendar, e.at, e.data FROM qflow.event e WHERE e.tenant = :tenant AND e.event = 'calendar.horizon'
ORDER BY e.once_key LIMIT {literal: batch}

-- shared: no_older
e.tenant = :tenant AND (:workflow = '' OR e.workflow = :workflow) AND e.at >= {instant: :since}
    AND e.id > CASE WHEN :after > 0 THEN :after ELSE COALESCE((SELECT o.id FROM qflow.events o WHERE o.tenant = :tenant
        AND o.at < {instant: :older_at} ORDER BY o.id DESC LIMIT 1), 0) END

-- name: find_events
-- Newest first; '' as a workflow: of all, and of none.
SELECT e.* FROM qflow.events e
WHERE e.tenant = :tenant AND (:workflow = '' OR e.workflow = :workflow) AND e.id < :before
ORDER BY e.id DESC LIMIT {literal: batch}

-- name: find_events_after
SELECT e.* FROM qflow.events e
WHERE e.tenant = :tenant AND (:workflow = '' OR e.workflow = :workflow) AND e.id > :after
ORDER BY e.id LIMIT {literal: batch}

-- name: find_events_since
-- Newest first; of those at or after an instant. Ids follow instants but for as long as a transaction lasts: below the newest
-- event that is older than `:older_at`, so long before `:since`, none is read.
SELECT e.* FROM qflow.events e WHERE {no_older} ORDER BY e.id DESC LIMIT {literal: batch}

-- name: find_events_after_since
-- The same, in the order of their ids.
SELECT e.* FROM qflow.events e WHERE {no_older} ORDER BY e.id LIMIT {literal: batch}
