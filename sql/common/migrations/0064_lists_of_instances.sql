-- Whose instance it is without a look at its version: the instances of one workflow are a range of an index, newest last.
ALTER TABLE qflow.workflow_instance ADD COLUMN definition_id {bigint}
;
UPDATE qflow.workflow_instance SET definition_id =
    (SELECT v.definition_id FROM qflow.workflow_version v WHERE v.id = workflow_instance.version_id)
WHERE version_id IS NOT NULL AND definition_id IS NULL
;
-- Serves find_instances_of.
{index: workflow_instance_definition ON qflow.workflow_instance (definition_id, id) | (definition_id, id)}
;
-- Serves find_instances.
{index: workflow_instance_tenant ON qflow.workflow_instance (tenant, id) | (tenant, id)}
;
