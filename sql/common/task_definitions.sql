-- Task types and task definitions, which nodes of workflows are made of when a version is stored.

-- name: load_task_definitions
SELECT t.name, t.kind, t.document, t.archived_at, t.file, t.note FROM qflow.task_definition t WHERE t.tenant = :tenant

-- name: find_task_definition
SELECT t.name, t.kind, t.hash, t.archived_at, t.file, t.file_hash, t.note FROM qflow.task_definition t
WHERE t.tenant = :tenant AND t.name = :name

-- name: lock_task_definition
-- A version that is being made of it, and a change of it, wait for each other.
UPDATE qflow.task_definition SET tenant = :tenant WHERE tenant = :tenant AND name = :name

-- name: insert_task_definition
-- Its name is taken; what it says comes in the same transaction.
INSERT INTO qflow.task_definition (tenant, name, kind, document, source_text, format, hash, created_at, updated_at)
VALUES (:tenant, :name, :kind, '', '', 'json', '', :now, :now)

-- name: save_task_definition
INSERT INTO qflow.task_definition (tenant, name, kind, job, type, document, source_text, format, hash, note, updated_by,
    created_at, updated_at, archived_at, file, file_hash)
VALUES (:tenant, :name, :kind, :job, :type, :document, :source_text, :format, :hash, :note, :updated_by, :now, :now, NULL,
    :file, :file_hash)
{upsert: tenant, name} kind = {excluded: kind}, job = {excluded: job}, type = {excluded: type}, document = {excluded: document},
    source_text = {excluded: source_text}, format = {excluded: format}, hash = {excluded: hash}, note = {excluded: note},
    updated_by = {excluded: updated_by}, updated_at = {excluded: updated_at}, archived_at = NULL,
    file = {excluded: file}, file_hash = {excluded: file_hash}

-- name: archive_task_definition
UPDATE qflow.task_definition SET archived_at = :archived_at, note = :note, updated_at = :now
WHERE tenant = :tenant AND name = :name

-- name: list_task_definition_names
SELECT t.name, t.kind FROM qflow.task_definition t WHERE t.tenant = :tenant ORDER BY t.name

-- name: list_task_definitions_of_files
-- A hash of null: the file is gone, and whatever comes back is a change.
SELECT t.name, t.kind, t.file, t.file_hash FROM qflow.task_definition t
WHERE t.tenant = :tenant AND t.file_hash IS NOT NULL ORDER BY t.id

-- name: archive_task_definition_of_file
-- Only while it still belongs to that file.
UPDATE qflow.task_definition SET archived_at = :now, note = :note, file_hash = NULL, updated_at = :now
WHERE tenant = :tenant AND name = :name AND file = :file

-- name: list_users_of_task_definition
-- Active versions with a node that is made of it, or of a definition of that type.
SELECT DISTINCT d.workflow, v.id AS version_id, v.source_text, v.format
FROM qflow.workflow_definition d JOIN qflow.workflow_version v ON v.id = d.active_version
JOIN qflow.workflow_node n ON n.version_id = v.id
WHERE d.tenant = :tenant AND n.definition IN
    (SELECT t.name FROM qflow.task_definition t WHERE t.tenant = :tenant AND (t.name = :name OR t.type = :name))
ORDER BY d.workflow

-- name: list_task_definitions
SELECT name, kind, job, type, document, hash, note, updated_by, created_at, updated_at, archived_at, source, file, error, file_hash
FROM qflow.task_definitions WHERE tenant = :tenant ORDER BY name
