-- Task types and task definitions, as pages list them.

-- name: list_task_definition_page
SELECT t.id, v.name, v.kind, v.job, v.type, v.document, v.hash, v.note, v.updated_by, v.created_at, v.updated_at, v.archived_at,
    v.source, v.file, v.error, v.format, v.source_text
FROM qflow.task_definitions v JOIN qflow.task_definition t ON t.tenant = v.tenant AND t.name = v.name
WHERE v.tenant = :tenant AND v.kind = :kind AND v.name > :after
    AND CASE WHEN v.archived_at IS NULL THEN 0 ELSE 1 END <= :with_archived
ORDER BY v.name LIMIT {literal: batch}

-- name: count_task_definition_page
SELECT COUNT(*) AS definitions FROM qflow.task_definitions v WHERE v.tenant = :tenant AND v.kind = :kind
    AND CASE WHEN v.archived_at IS NULL THEN 0 ELSE 1 END <= :with_archived

-- name: show_task_definition
-- By its name; a number that is no name is an id, unless `number_first`.
SELECT t.id, v.name, v.kind, v.job, v.type, v.document, v.hash, v.note, v.updated_by, v.created_at, v.updated_at, v.archived_at,
    v.source, v.file, v.error, v.format, v.source_text
FROM qflow.task_definitions v JOIN qflow.task_definition t ON t.tenant = v.tenant AND t.name = v.name
WHERE v.tenant = :tenant AND v.kind = :kind AND (v.name = :name OR t.id = :id)
ORDER BY CASE WHEN (CASE WHEN v.name = :name THEN 1 ELSE 0 END) <> :number_first THEN 0 ELSE 1 END LIMIT 1

-- name: list_task_definitions_of_type
SELECT t.name FROM qflow.task_definition t WHERE t.tenant = :tenant AND t.type = :name AND t.archived_at IS NULL ORDER BY t.name

-- name: delete_task_definition
DELETE FROM qflow.task_definition WHERE tenant = :tenant AND name = :name
