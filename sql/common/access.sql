-- Who may use the HTTP API: principals, their tokens, sessions and links; and what was done. Nothing here is locked for long:
-- each verb writes the rows of one principal. Rows of a role above `role` are not shown to those who have less.

-- name: insert_principal
INSERT INTO qflow.principal (tenant, name, kind, role, created_at, created_by)
VALUES (:tenant, :name, :kind, :role, :now, :created_by)

-- name: find_principal
SELECT p.id, p.tenant, p.name, p.kind, p.role, p.password, p.lang, p.zone, p.theme, p.density, p.created_at, p.created_by,
    p.disabled_at FROM qflow.principal p
WHERE p.name = :name

-- name: is_any_principal
SELECT p.id FROM qflow.principal p LIMIT 1

-- name: insert_token
INSERT INTO qflow.token (id, principal_id, note, secret_hash, role, workflows, jobs, networks, created_at, created_by, expires_at)
VALUES (:token, :principal_id, :note, :secret_hash, :role, :workflows, :jobs, :networks, :now, :created_by, :expires_at)

-- name: find_token
SELECT t.id, t.secret_hash, t.role, t.workflows, t.jobs, t.networks, t.expires_at, t.last_used_at, t.revoked_at,
    p.id AS principal_id, p.name AS principal, p.tenant, p.role AS principal_role, p.disabled_at
FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE t.id = :token

-- name: list_tokens
-- Of one principal; of all where it is 0. Newest first.
SELECT t.id, p.name AS principal, p.tenant, t.note, t.role, t.workflows, t.jobs, t.networks, t.created_at, t.created_by,
    t.expires_at, t.last_used_at, t.revoked_at
FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE p.tenant = :tenant AND p.role <= :role AND (:principal_id = 0 OR p.id = :principal_id)
ORDER BY t.created_at DESC, t.id LIMIT {literal: batch}

-- name: note_token_use
UPDATE qflow.token SET last_used_at = :now WHERE id = :token AND (last_used_at IS NULL OR last_used_at < :before_at)

-- name: revoke_token
UPDATE qflow.token SET revoked_at = :now WHERE id = :token AND revoked_at IS NULL

-- name: show_token
SELECT t.id, p.name AS principal, t.principal_id, t.revoked_at FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE t.id = :token AND p.tenant = :tenant AND p.role <= :role

-- name: insert_audit
INSERT INTO qflow.audit (at, tenant, principal, token, session_id, address, request_id, action, object_type, object,
    changed_from, changed_to, command_id, submission_id, outcome)
VALUES (:now, :tenant, :principal, :token, :session_id, :address, :request_id, :action, :object_type, :object,
    :changed_from, :changed_to, :command_id, :submission_id, :outcome)
