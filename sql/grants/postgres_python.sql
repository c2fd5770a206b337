-- What the Python client and the command line read beside the views: lists of instances and approvals, large outputs, plugin files.
GRANT SELECT ON qflow.workflow_definition, qflow.workflow_instance, qflow.workflow_node, qflow.workflow_version,
    qflow.large_value, qflow.plugin, qflow.daemon, qflow.waiter, qflow.dataset, qflow.session_workflow TO qflow_client;
