-- Serves list_users_of_jobs and list_users_of_workflow.
{index: workflow_need_name ON qflow.workflow_need (name, kind) | (name, kind)}
;
