-- Partial, so that workflows without `concurrency` pay nothing.
-- Serves list_running_of, list_queued_of, list_queues and count_open.
{index: workflow_instance_turn ON qflow.workflow_instance (concurrency_key, state, id) WHERE concurrency_key IS NOT NULL AND state < {instance.SUCCESS} | (concurrency_key, state)}
;
