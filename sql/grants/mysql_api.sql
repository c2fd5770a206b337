-- What `qflowd api` needs, and no more: it reads all, and writes inboxes, definitions and who may do what. What runs is
-- written by daemons alone. Run it as an account that may grant on qflow.
GRANT SELECT ON qflow.* TO qflow_api;
GRANT INSERT ON qflow.submissions TO qflow_api;
GRANT INSERT ON qflow.signals TO qflow_api;
GRANT INSERT ON qflow.audit TO qflow_api;
GRANT INSERT, UPDATE (is_batch) ON qflow.commands TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.principal TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.token TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.session TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.login_code TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.login_failure TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.tenant TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.quota TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.http_key TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_definition TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_version TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_node TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_edge TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.workflow_need TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.task_definition TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.schedule TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.calendar_override TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.calendar_revision TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.own_calendar TO qflow_api;
GRANT INSERT, UPDATE, DELETE ON qflow.expectation TO qflow_api;
GRANT DELETE ON qflow.late_date TO qflow_api;
GRANT DELETE ON qflow.schedule_fire TO qflow_api;
GRANT DELETE ON qflow.paused_task TO qflow_api;
GRANT INSERT, UPDATE ON qflow.limit_key TO qflow_api; -- the slots of quota running_tasks; an upsert needs all its columns
GRANT UPDATE (meter) ON qflow.workflow_instance TO qflow_api; -- to count a tenant's instances from its first quota on
