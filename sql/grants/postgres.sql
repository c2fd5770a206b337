-- What a client of the SQL contract needs, and no more. Run it as the owner of the schema qflow.
GRANT USAGE ON SCHEMA qflow TO qflow_client;
GRANT SELECT ON qflow.submissions, qflow.commands, qflow.signals TO qflow_client;
GRANT INSERT (tenant, workflow, version, job, name, params, overrides, business_date, priority, run_at, hold,
    idempotency_key, trigger_type, submitted_by, created_at, state, instance_id, error, answered_at, allow_duplicates)
    ON qflow.submissions TO qflow_client;
GRANT INSERT (tenant, action, instance_id, workflow, task, task_id, filter, args, reason, requested_by, created_at,
    state, result, error, answered_at)
    ON qflow.commands TO qflow_client;
GRANT INSERT (tenant, name, payload, sent_by, created_at, business_date, expires_at, state, error, answered_at)
    ON qflow.signals TO qflow_client;
GRANT SELECT ON qflow.instances, qflow.tasks, qflow.compensations, qflow.breakpoints, qflow.attempts, qflow.failures,
    qflow.handled_failures, qflow.logs, qflow.workflows, qflow.versions, qflow.task_definitions, qflow.schedules,
    qflow.fires, qflow.approvals, qflow.datasets, qflow.dataset_uses, qflow.jobs, qflow.pools, qflow.limits, qflow.daemons, qflow.audit_entries,
    qflow.quotas, qflow.usage_days, qflow.calendar_overrides, qflow.backfills,
    qflow.backfill_dates, qflow.session_runs, qflow.gaps, qflow.own_calendars,
    qflow.late_dates, qflow.events TO qflow_client;
