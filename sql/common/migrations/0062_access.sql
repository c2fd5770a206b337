-- Who may use the HTTP API and what was done through it. SQL and the command line need no principal. Of every secret only a
-- hash is stored. Roles are codes of qflowd/model/roles.py; kind: human, service.
CREATE TABLE IF NOT EXISTS qflow.principal (
    id {identity},
    tenant {word} NOT NULL,
    name {key} NOT NULL,
    kind {word} NOT NULL,
    role {smallint} NOT NULL CHECK (role BETWEEN 1 AND 6),
    password {text}, -- scrypt, with its salt; null: signs in by link alone
    lang {word},
    zone {word},
    theme {word},
    density {word},
    created_at {instant} NOT NULL,
    created_by {text},
    disabled_at {instant},
    CONSTRAINT principal_name UNIQUE (name)
) {table}
;
-- Serves list_tokens.
{index: principal_tenant ON qflow.principal (tenant, name) | (tenant, name)}
;
-- secret_hash: SHA-256 of 256 random bits. workflows, jobs: globs, networks: CIDRs, as JSON lists; null: all.
CREATE TABLE IF NOT EXISTS qflow.token (
    id {word} NOT NULL PRIMARY KEY,
    principal_id {bigint} NOT NULL,
    note {text},
    secret_hash {word} NOT NULL,
    role {smallint} NOT NULL CHECK (role BETWEEN 1 AND 6), -- no more than this, whatever the principal has
    workflows {text},
    jobs {text},
    networks {text},
    created_at {instant} NOT NULL,
    created_by {text},
    expires_at {instant} NOT NULL,
    last_used_at {instant},
    revoked_at {instant}
) {table}
;
-- Serves list_tokens.
{index: token_principal ON qflow.token (principal_id, created_at) | (principal_id, created_at)}
;
CREATE TABLE IF NOT EXISTS qflow.session (
    id {identity},
    principal_id {bigint} NOT NULL,
    secret_hash {word} NOT NULL,
    address {text},
    agent {text},
    created_at {instant} NOT NULL,
    seen_at {instant} NOT NULL,
    ended_at {instant},
    CONSTRAINT session_secret UNIQUE (secret_hash)
) {table}
;
-- Serves list_sessions.
{index: session_principal ON qflow.session (principal_id, id) | (principal_id, id)}
;
-- Of links that sign somebody in once. Without a principal: makes the first one.
CREATE TABLE IF NOT EXISTS qflow.login_code (
    code_hash {word} NOT NULL PRIMARY KEY,
    principal_id {bigint},
    created_at {instant} NOT NULL,
    created_by {text},
    expires_at {instant} NOT NULL
) {table}
;
-- Of the last minutes: guessing passwords is slow, by name and by address.
CREATE TABLE IF NOT EXISTS qflow.login_failure (
    id {identity},
    name {key} NOT NULL,
    address {key} NOT NULL,
    at {instant} NOT NULL
) {table}
;
-- Serves count_login_failures.
{index: login_failure_name ON qflow.login_failure (name, at) | (name, at)}
;
-- Serves count_login_failures.
{index: login_failure_address ON qflow.login_failure (address, at) | (address, at)}
;
-- What was done, by whom. Rows are never updated.
CREATE TABLE IF NOT EXISTS qflow.audit (
    id {identity},
    at {instant} NOT NULL,
    tenant {word} NOT NULL,
    principal {text},
    token {word},
    session_id {bigint},
    address {text},
    request_id {word},
    action {word} NOT NULL,
    object_type {word} NOT NULL,
    object {key} NOT NULL,
    command_id {bigint},
    submission_id {bigint},
    changed_from {text},
    changed_to {text},
    outcome {word} NOT NULL
) {table}
;
-- Serves the view audit_entries.
{index: audit_tenant ON qflow.audit (tenant, at, id) | (tenant, at, id)}
;
-- Serves the view audit_entries.
{index: audit_object ON qflow.audit (tenant, object_type, object, at) | (tenant, object_type, object, at)}
;
