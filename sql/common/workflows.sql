-- Templates: a definition, its versions, and the files that could not become one.

-- name: find_definition
SELECT d.id, d.title, d.description, d.domain, d.type, d.tags, d.enabled, d.source, d.file, d.error, d.source_hash,
    d.active_version, d.archived_at, d.canary_version, v.version, v.hash, v.replaced
FROM qflow.workflow_definition d LEFT JOIN qflow.workflow_version v ON v.id = d.active_version
WHERE d.tenant = :tenant AND d.workflow = :workflow

-- name: insert_definition
INSERT INTO qflow.workflow_definition (tenant, workflow, title, description, domain, type, tags, enabled, source, file,
    created_at, updated_at)
VALUES (:tenant, :workflow, :title, :description, :domain, :type, :tags, :enabled, :source, :file, :now, :now)
{ignored: workflow_definition.enabled}

-- name: lock_definition
-- Two daemons that read the same change store it one after the other; the second finds nothing left to do.
UPDATE qflow.workflow_definition SET tenant = :tenant WHERE tenant = :tenant AND workflow = :workflow

-- name: update_definition
UPDATE qflow.workflow_definition SET title = :title, description = :description, domain = :domain, type = :type, tags = :tags,
    enabled = :enabled, source = :source, file = :file, source_hash = :source_hash,
    active_version = COALESCE(:active_version, active_version), error = :error, updated_at = :now
WHERE id = :id

-- name: set_canary
UPDATE qflow.workflow_definition SET canary_version = :version_id, canary_share = :share, updated_at = :now WHERE id = :id

-- name: set_archived
UPDATE qflow.workflow_definition SET archived_at = :archived_at, archive_note = :note, updated_at = :now WHERE id = :id

-- name: count_open_instances
SELECT COUNT(*) AS instances FROM qflow.workflow_instance i JOIN qflow.workflow_version v ON v.id = i.version_id
WHERE v.definition_id = :definition_id AND i.state < {instance.SUCCESS}

-- name: list_users_of_workflow
-- Workflows whose tasks start it.
SELECT d.workflow FROM qflow.workflow_definition d JOIN qflow.workflow_need n ON n.version_id = d.active_version
WHERE d.tenant = :tenant AND d.archived_at IS NULL AND n.kind = 'workflow' AND n.name = :workflow ORDER BY d.workflow

-- name: disable_definition
-- Only while it still belongs to that file.
UPDATE qflow.workflow_definition SET enabled = 0, error = :error, updated_at = :now
WHERE tenant = :tenant AND workflow = :workflow AND source = 'file' AND file = :file

-- name: list_definitions_of_files
SELECT d.workflow, d.file, d.enabled, d.error, d.source_hash AS hash FROM qflow.workflow_definition d
WHERE d.tenant = :tenant AND d.source = 'file' ORDER BY d.id

-- name: list_workflow_names
SELECT d.workflow FROM qflow.workflow_definition d WHERE d.tenant = :tenant ORDER BY d.workflow

-- name: newest_version
SELECT COALESCE(MAX(version), 0) AS version FROM qflow.workflow_version WHERE definition_id = :definition_id

-- name: archive_version
UPDATE qflow.workflow_version SET state = {version.ARCHIVED} WHERE definition_id = :definition_id AND state = {version.ACTIVE}

-- name: insert_version
INSERT INTO qflow.workflow_version (definition_id, version, state, document, source_text, format, hash, source, file, saga, created_by,
    faults, base_hash, created_at)
VALUES (:definition_id, :version, {version.DRAFT}, :document, :source_text, :format, :hash, :source, :file, :saga, :created_by,
    :faults, :base_hash, :now)
{returning: id}

-- name: find_draft
SELECT v.id, v.version FROM qflow.workflow_version v
WHERE v.definition_id = :definition_id AND v.hash = :hash AND v.state = {version.DRAFT} AND v.faults IS NULL ORDER BY v.version DESC LIMIT 1

-- name: activate_version
-- Without `replaced` it keeps the version that it replaced before: so one rollback after another goes further back.
UPDATE qflow.workflow_version SET state = {version.ACTIVE}, activated_at = :now, activated_by = :activated_by, note = :note,
    replaced = COALESCE(:replaced, replaced), source = COALESCE(:source, source), file = COALESCE(:file, file)
WHERE id = :id

-- name: insert_nodes
INSERT INTO qflow.workflow_node (version_id, node, task, title, job, pool, params, may_fail, runs_on_terminate, definition)
SELECT :version_id, r.node, r.task, r.title, r.job, r.pool, r.params, r.may_fail, r.runs_on_terminate, r.definition
FROM {rows: node int, task text, title text, job text, pool text, params text, may_fail smallint,
    runs_on_terminate smallint, definition text} r

-- name: insert_workflow_edges
INSERT INTO qflow.workflow_edge (version_id, node, parent, is_each)
SELECT :version_id, r.node, r.parent, r.is_each FROM {rows: node int, parent int, is_each smallint} r

-- name: insert_needs
INSERT INTO qflow.workflow_need (version_id, kind, name, problem)
SELECT :version_id, r.kind, r.name, r.problem FROM {rows: kind text, name text, problem text} r

-- name: list_needs
-- The jobs that a version names.
SELECT n.name FROM qflow.workflow_need n WHERE n.version_id = :version_id AND n.kind = 'job' ORDER BY n.name

-- name: list_users_of_jobs
-- Active versions that name these jobs, which are in the order of their ids everywhere; one whose row is gone is left out.
SELECT n.version_id, n.name FROM {rows: name text} r JOIN qflow.workflow_need n ON n.name = r.name AND n.kind = 'job'
JOIN qflow.workflow_version v ON v.id = n.version_id
JOIN qflow.workflow_definition d ON d.id = v.definition_id AND d.active_version = v.id ORDER BY n.version_id, n.name

-- name: set_problem
UPDATE qflow.workflow_need SET problem = :problem WHERE version_id = :version_id AND kind = 'job' AND name = :job

-- name: list_workflow_warnings
-- What can be stored and will not run: tasks that name a job or a workflow that nobody has, or whose params do not fit.
SELECT w.workflow, w.tenant, w.warning FROM qflow.workflows w WHERE w.warning IS NOT NULL ORDER BY w.workflow

-- name: list_workflow_faults
SELECT file, workflow, error FROM qflow.workflow_fault ORDER BY file

-- name: find_workflow_fault
SELECT error FROM qflow.workflow_fault WHERE workflow = :workflow ORDER BY file LIMIT 1

-- name: save_workflow_fault
INSERT INTO qflow.workflow_fault (file, workflow, definition, error, updated_at)
VALUES (:file, :workflow, :definition, :error, :now)
{upsert: file} workflow = {excluded: workflow}, definition = {excluded: definition}, error = {excluded: error}, updated_at = {excluded: updated_at}

-- name: delete_workflow_fault
DELETE FROM qflow.workflow_fault WHERE file = :file
