-- Which version of a dataset has met a wait for it, so that a later one is known to have come.
ALTER TABLE qflow.waiter ADD COLUMN dataset_version {int}
;
-- Serves find_open_waits, list_recorded_datasets and meet_by_dataset.
{index: waiter_dataset ON qflow.waiter (tenant, name) WHERE state IN ({wait.WAITING}, {wait.OVER}) AND kind = {fact.DATASET} | (kind, state, tenant, name)}
;
-- Serves the view dataset_uses.
{index: waiter_used ON qflow.waiter (tenant, task_id) WHERE dataset_version IS NOT NULL | (tenant, kind, task_id)}
;
