-- Which instance has met a wait for its workflow.
ALTER TABLE qflow.waiter ADD COLUMN instance_id {bigint}
;
-- Serves find_open_waits, list_successes and meet_by_success.
{index: waiter_workflow ON qflow.waiter (tenant, name, business_date) WHERE state = {wait.WAITING} AND kind = {fact.WORKFLOW} | (kind, state, tenant, name, business_date)}
;
