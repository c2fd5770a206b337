-- Uses of one dataset, without a look at those of the others; what MySQL has for waits leads to them as well.
{only: postgres,sqlite
-- Serves count_stale_uses.
{index: waiter_used_name ON qflow.waiter (tenant, name) WHERE dataset_version IS NOT NULL | (kind, state, tenant, name)}
}
