-- What `qflowd api` needs, and no more: it reads all, and writes inboxes, definitions and who may do what. What runs is
-- written by daemons alone. Run it as the owner of the schema qflow.
GRANT USAGE ON SCHEMA qflow TO qflow_api;
GRANT SELECT ON ALL TABLES IN SCHEMA qflow TO qflow_api;
GRANT INSERT ON qflow.submissions, qflow.signals, qflow.audit TO qflow_api;
GRANT INSERT, UPDATE (is_batch) ON qflow.commands TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.principal, qflow.token, qflow.session, qflow.login_code, qflow.login_failure,
    qflow.tenant, qflow.quota, qflow.http_key TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_definition, qflow.workflow_version, qflow.workflow_node,
    qflow.workflow_edge, qflow.workflow_need, qflow.task_definition, qflow.schedule, qflow.calendar_override,
    qflow.calendar_revision, qflow.own_calendar, qflow.expectation TO qflow_api;
GRANT DELETE ON qflow.schedule_fire, qflow.paused_task, qflow.late_date TO qflow_api;
GRANT INSERT, UPDATE (capacity, rates, frees_at, source, breaker, failures, tripped_at, set_by, note, updated_at)
    ON qflow.limit_key TO qflow_api; -- the slots of quota running_tasks
GRANT UPDATE (meter) ON qflow.workflow_instance TO qflow_api; -- to count a tenant's instances from its first quota on
