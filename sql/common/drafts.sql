-- Drafts while people edit them, and what else happens to definitions by the hands of people.

-- name: find_version_text
SELECT v.id, v.version, v.state, v.hash, v.source_text, v.format, v.faults, v.has_run, v.base_hash, v.created_by, v.note
FROM qflow.workflow_version v WHERE v.definition_id = :definition_id AND v.version = :version

-- name: newest_draft
SELECT v.version FROM qflow.workflow_version v
WHERE v.definition_id = :definition_id AND v.state = {version.DRAFT} ORDER BY v.version DESC LIMIT 1

-- name: mark_version_run
-- Instances that name a draft keep it from being edited.
UPDATE qflow.workflow_version SET has_run = 1 WHERE id = :id AND has_run = 0

-- name: archive_draft
UPDATE qflow.workflow_version SET state = {version.ARCHIVED}, note = :note WHERE id = :id

-- name: set_enabled
UPDATE qflow.workflow_definition SET enabled = :enabled, updated_at = :now WHERE id = :id

-- name: delete_version
-- Only what nothing has run: an instance reads its version again.
DELETE FROM qflow.workflow_version WHERE id = :id

-- name: delete_version_nodes
DELETE FROM qflow.workflow_node WHERE version_id = :version_id

-- name: delete_version_edges
DELETE FROM qflow.workflow_edge WHERE version_id = :version_id

-- name: delete_version_needs
DELETE FROM qflow.workflow_need WHERE version_id = :version_id

-- name: list_version_ids
SELECT v.id FROM qflow.workflow_version v WHERE v.definition_id = :definition_id ORDER BY v.id

-- name: find_any_instance
-- Of any version of a workflow.
SELECT MIN(i.id) AS id FROM qflow.workflow_instance i WHERE i.definition_id = :definition_id

-- name: delete_definition
DELETE FROM qflow.workflow_definition WHERE id = :id

-- name: delete_fires
DELETE FROM qflow.schedule_fire WHERE definition_id = :definition_id

-- name: delete_paused_tasks
DELETE FROM qflow.paused_task WHERE definition_id = :definition_id
