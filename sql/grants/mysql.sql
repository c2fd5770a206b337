-- What a client of the SQL contract needs, and no more. Run it as an account that may grant on qflow.
GRANT SELECT, INSERT (tenant, workflow, version, job, name, params, overrides, business_date, priority, run_at, hold,
    idempotency_key, trigger_type, submitted_by, created_at, state, instance_id, error, answered_at)
    ON qflow.submissions TO qflow_client;
GRANT SELECT, INSERT (tenant, action, instance_id, workflow, task, task_id, filter, args, reason, requested_by,
    created_at, state, result, error, answered_at)
    ON qflow.commands TO qflow_client;
GRANT SELECT, INSERT (tenant, name, payload, sent_by, created_at) ON qflow.signals TO qflow_client;
GRANT SELECT ON qflow.instances TO qflow_client;
GRANT SELECT ON qflow.tasks TO qflow_client;
GRANT SELECT ON qflow.attempts TO qflow_client;
GRANT SELECT ON qflow.logs TO qflow_client;
GRANT SELECT ON qflow.workflows TO qflow_client;
GRANT SELECT ON qflow.schedules TO qflow_client;
GRANT SELECT ON qflow.fires TO qflow_client;
GRANT SELECT ON qflow.jobs TO qflow_client;
GRANT SELECT ON qflow.pools TO qflow_client;
GRANT SELECT ON qflow.daemons TO qflow_client;
