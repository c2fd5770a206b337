-- Whose instance it is without a look at its version: the instances of one workflow are a range of an index, newest last.
ALTER TABLE qflow.workflow_instance ADD COLUMN definition_id {bigint}
;
UPDATE qflow.workflow_instance SET definition_id =
    (SELECT v.definition_id FROM qflow.workflow_version v WHERE v.id = workflow_instance.version_id)
WHERE version_id IS NOT NULL AND definition_id IS NULL
;
-- Serves find_instances_of and find_ids_of_definition.
{index: workflow_instance_definition ON qflow.workflow_instance (definition_id, id) | (definition_id, id)}
;
-- Serves find_instances and find_ids_of_tenant.
{index: workflow_instance_tenant ON qflow.workflow_instance (tenant, id) | (tenant, id)}
;
-- Serves find_ids_on_date and find_ids_of_definition_on_date.
{index: workflow_instance_date ON qflow.workflow_instance (business_date, definition_id, id) | (business_date, definition_id, id)}
;
{only: postgres,sqlite
-- Serves find_ids_failed.
{index: workflow_instance_failed ON qflow.workflow_instance (tenant, id) WHERE state > {instance.SUCCESS} | (state, id)}
}
;
