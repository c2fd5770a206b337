-- What a client of the SQL contract needs, and no more. Run it as an account that may grant on qflow.
GRANT SELECT, INSERT ON qflow.submissions TO qflow_client;
GRANT SELECT, INSERT ON qflow.commands TO qflow_client;
GRANT SELECT, INSERT ON qflow.signals TO qflow_client;
GRANT SELECT ON qflow.instances TO qflow_client;
GRANT SELECT ON qflow.tasks TO qflow_client;
GRANT SELECT ON qflow.compensations TO qflow_client;
GRANT SELECT ON qflow.attempts TO qflow_client;
GRANT SELECT ON qflow.failures TO qflow_client;
GRANT SELECT ON qflow.logs TO qflow_client;
GRANT SELECT ON qflow.workflows TO qflow_client;
GRANT SELECT ON qflow.versions TO qflow_client;
GRANT SELECT ON qflow.task_definitions TO qflow_client;
GRANT SELECT ON qflow.schedules TO qflow_client;
GRANT SELECT ON qflow.fires TO qflow_client;
GRANT SELECT ON qflow.jobs TO qflow_client;
GRANT SELECT ON qflow.pools TO qflow_client;
GRANT SELECT ON qflow.limits TO qflow_client;
GRANT SELECT ON qflow.daemons TO qflow_client;
