-- What the Python client and the command line read beside the views: lists of instances and approvals, large outputs, plugin files.
GRANT SELECT ON qflow.workflow_definition TO qflow_client;
GRANT SELECT ON qflow.workflow_instance TO qflow_client;
GRANT SELECT ON qflow.workflow_node TO qflow_client;
GRANT SELECT ON qflow.workflow_version TO qflow_client;
GRANT SELECT ON qflow.large_value TO qflow_client;
GRANT SELECT ON qflow.plugin TO qflow_client;
GRANT SELECT ON qflow.daemon TO qflow_client;
GRANT SELECT ON qflow.waiter TO qflow_client;
GRANT SELECT ON qflow.dataset TO qflow_client;
GRANT SELECT ON qflow.session_workflow TO qflow_client;
