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
-- Of one principal; of all where it is 0. Newest first, behind the one that was made at `before_at` as `after_token`.
-- `role`: what the token may do now, which is not more than its principal may.
SELECT t.id, p.name AS principal, p.tenant, t.note, CASE WHEN p.role < t.role THEN p.role ELSE t.role END AS role, t.workflows, t.jobs, t.networks, t.created_at, t.created_by,
    t.expires_at, t.last_used_at, t.revoked_at
FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE p.tenant = :tenant AND p.role <= :role AND (:principal_id = 0 OR p.id = :principal_id)
    AND (t.created_at < :before_at OR (t.created_at = :before_at AND t.id > :after_token))
    AND (t.revoked_at IS NULL AND t.expires_at > :valid_at OR :is_all = 1)
ORDER BY t.created_at DESC, t.id LIMIT {literal: batch}

-- name: note_token_use
UPDATE qflow.token SET last_used_at = :now WHERE id = :token AND (last_used_at IS NULL OR last_used_at < :before_at)

-- name: revoke_token
UPDATE qflow.token SET revoked_at = :now WHERE id = :token AND revoked_at IS NULL

-- name: show_token
SELECT t.id, p.name AS principal, t.principal_id FROM qflow.token t JOIN qflow.principal p ON p.id = t.principal_id
WHERE t.id = :token AND p.tenant = :tenant AND p.role <= :role

-- name: insert_audit
INSERT INTO qflow.audit (at, tenant, principal, token, session_id, address, request_id, action, object_type, object,
    changed_from, changed_to, command_id, submission_id, outcome)
VALUES (:now, :tenant, :principal, :token, :session_id, :address, :request_id, :action, :object_type, :object,
    :changed_from, :changed_to, :command_id, :submission_id, :outcome)

-- name: list_principals
SELECT p.id, p.tenant, p.name, p.kind, p.role, CASE WHEN p.password IS NULL THEN 0 ELSE 1 END AS has_password, p.created_at,
    p.created_by, p.disabled_at
FROM qflow.principal p WHERE p.tenant = :tenant AND p.role <= :role AND p.name > :after_name ORDER BY p.name LIMIT {literal: batch}

-- name: show_principal
SELECT p.id, p.tenant, p.name, p.kind, p.role, p.password, p.lang, p.zone, p.theme, p.density, p.created_at, p.created_by,
    p.disabled_at FROM qflow.principal p
WHERE p.id = :principal_id AND p.tenant = :tenant AND p.role <= :role

-- name: lock_principal
-- Whoever else changes it waits, so that If-Match is about what is changed.
SELECT p.id FROM qflow.principal p WHERE p.id = :principal_id AND p.tenant = :tenant {only: postgres,mysql FOR UPDATE}

-- name: update_principal
UPDATE qflow.principal SET kind = :kind, role = :role, disabled_at = :disabled_at WHERE id = :principal_id

-- name: set_preferences
UPDATE qflow.principal SET lang = :lang, zone = :zone, theme = :theme, density = :density WHERE id = :principal_id

-- name: set_password
UPDATE qflow.principal SET password = :password WHERE id = :principal_id

-- name: delete_principal
DELETE FROM qflow.principal WHERE id = :principal_id

-- name: delete_tokens_of_principal
DELETE FROM qflow.token WHERE principal_id = :principal_id

-- name: delete_sessions_of_principal
DELETE FROM qflow.session WHERE principal_id = :principal_id

-- name: delete_codes_of_principal
DELETE FROM qflow.login_code WHERE principal_id = :principal_id

-- name: insert_session
INSERT INTO qflow.session (principal_id, secret_hash, address, agent, created_at, seen_at)
VALUES (:principal_id, :secret_hash, :address, :agent, :now, :now) {returning: id}

-- name: find_session
SELECT s.id, s.created_at, s.seen_at, s.ended_at, p.id AS principal_id, p.name AS principal, p.tenant, p.role AS principal_role,
    p.disabled_at
FROM qflow.session s JOIN qflow.principal p ON p.id = s.principal_id
WHERE s.secret_hash = :secret_hash

-- name: list_sessions
-- Of one principal; of all where it is 0. Those that have not ended.
SELECT s.id, p.name AS principal, s.address, s.agent, s.created_at, s.seen_at
FROM qflow.session s JOIN qflow.principal p ON p.id = s.principal_id
WHERE p.tenant = :tenant AND p.role <= :role AND (:principal_id = 0 OR p.id = :principal_id) AND s.ended_at IS NULL
    AND s.seen_at > :idle_at AND s.created_at > :begun_at AND s.id < :before
ORDER BY s.id DESC LIMIT {literal: batch}

-- name: show_session
SELECT s.id, s.principal_id, p.name AS principal FROM qflow.session s JOIN qflow.principal p ON p.id = s.principal_id
WHERE s.id = :session_id AND p.tenant = :tenant AND p.role <= :role

-- name: note_session_use
UPDATE qflow.session SET seen_at = :now WHERE id = :session_id AND seen_at < :before_at

-- name: end_session
UPDATE qflow.session SET ended_at = :now WHERE id = :session_id AND ended_at IS NULL

-- name: end_sessions_of_principal
UPDATE qflow.session SET ended_at = :now WHERE principal_id = :principal_id AND id <> :session_id AND ended_at IS NULL

-- name: delete_old_sessions
DELETE FROM qflow.session WHERE principal_id = :principal_id AND created_at < :begun_at

-- name: insert_login_code
INSERT INTO qflow.login_code (code_hash, principal_id, created_at, created_by, expires_at)
VALUES (:code_hash, :principal_id, :now, :created_by, :expires_at)

-- name: find_login_code
SELECT c.principal_id, c.expires_at, p.id, p.tenant, p.name, p.role, p.disabled_at
FROM qflow.login_code c LEFT JOIN qflow.principal p ON p.id = c.principal_id WHERE c.code_hash = :code_hash

-- name: delete_login_code
DELETE FROM qflow.login_code WHERE code_hash = :code_hash

-- name: delete_old_login_codes
DELETE FROM qflow.login_code WHERE expires_at < :now

-- name: count_login_failures
SELECT (SELECT COUNT(*) FROM qflow.login_failure f WHERE f.name = :name AND f.at > :since) AS of_name,
    (SELECT COUNT(*) FROM qflow.login_failure f WHERE f.address = :address AND f.at > :since) AS of_address

-- name: insert_login_failure
INSERT INTO qflow.login_failure (name, address, at) VALUES (:name, :address, :now)

-- name: delete_login_failures
-- Of a name that has signed in; the address keeps the others.
DELETE FROM qflow.login_failure WHERE name = :name

-- name: delete_old_login_failures
DELETE FROM qflow.login_failure WHERE at < :since

-- name: note_command_done
-- One that came through the API has its entry since it was written. What a client writes into the inbox may be of any
-- length, and an index takes only so much.
INSERT INTO qflow.audit (at, tenant, principal, action, object_type, object, changed_to, command_id, outcome)
SELECT :now, COALESCE(SUBSTR(c.tenant, 1, 200), ''), SUBSTR(c.requested_by, 1, 200),
    UPPER(COALESCE(SUBSTR(COALESCE(:action, c.action), 1, 100), '')), :object_type, :object, :changed_to, c.id, :outcome
FROM qflow.commands c WHERE c.id = :id AND NOT EXISTS (SELECT 1 FROM qflow.audit a WHERE a.command_id = c.id)

-- name: list_audit
-- Newest first, behind the entry `before` at `before_at`.
SELECT a.id, a.at, a.principal, a.token, a.session_id, a.address, a.request_id, a.action, a.object_type, a.object, a.changed_from,
    a.changed_to, a.command_id, a.submission_id, a.outcome
FROM qflow.audit a
WHERE a.tenant = :tenant AND a.at >= :since AND a.at <= :before_at AND (a.at < :before_at OR a.id < :before)
    AND (:action = '' OR a.action = :action) AND (:principal = '' OR a.principal = :principal)
    AND (:object_type = '' OR a.object_type = :object_type)
ORDER BY a.at DESC, a.id DESC LIMIT {literal: batch}

-- name: list_audit_of_object
-- The same of one object.
SELECT a.id, a.at, a.principal, a.token, a.session_id, a.address, a.request_id, a.action, a.object_type, a.object, a.changed_from,
    a.changed_to, a.command_id, a.submission_id, a.outcome
FROM qflow.audit a
WHERE a.tenant = :tenant AND a.object_type = :object_type AND a.object = :object AND a.at >= :since AND a.at <= :before_at
    AND (a.at < :before_at OR a.id < :before)
    AND (:action = '' OR a.action = :action) AND (:principal = '' OR a.principal = :principal)
ORDER BY a.at DESC, a.id DESC LIMIT {literal: batch}

-- name: list_audit_oldest_first
-- By the same index, behind the entry `after` at `after_at`.
SELECT a.id, a.at, a.principal, a.token, a.session_id, a.address, a.request_id, a.action, a.object_type, a.object, a.changed_from,
    a.changed_to, a.command_id, a.submission_id, a.outcome
FROM qflow.audit a
WHERE a.tenant = :tenant AND a.at >= :after_at AND a.at <= :until_at AND (a.at > :after_at OR a.id > :after)
    AND (:action = '' OR a.action = :action) AND (:principal = '' OR a.principal = :principal)
    AND (:object_type = '' OR a.object_type = :object_type)
ORDER BY a.at, a.id LIMIT {literal: batch}

-- name: list_audit_of_object_oldest_first
SELECT a.id, a.at, a.principal, a.token, a.session_id, a.address, a.request_id, a.action, a.object_type, a.object, a.changed_from,
    a.changed_to, a.command_id, a.submission_id, a.outcome
FROM qflow.audit a
WHERE a.tenant = :tenant AND a.object_type = :object_type AND a.object = :object AND a.at >= :after_at AND a.at <= :until_at
    AND (a.at > :after_at OR a.id > :after)
    AND (:action = '' OR a.action = :action) AND (:principal = '' OR a.principal = :principal)
ORDER BY a.at, a.id LIMIT {literal: batch}

-- name: find_oldest_audit
-- The last of the oldest entries.
SELECT MAX(a.id) AS id FROM (SELECT o.id FROM qflow.audit o ORDER BY o.id LIMIT {literal: batch}) a

-- name: delete_old_audit
DELETE FROM qflow.audit WHERE id <= :last AND at < :before_at

-- name: delete_ended_tokens
DELETE FROM qflow.token WHERE revoked_at < :before_at OR expires_at < :before_at

-- name: delete_ended_sessions
-- One that was not used for so long has ended.
DELETE FROM qflow.session WHERE ended_at < :before_at OR seen_at < :before_at
