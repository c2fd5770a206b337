-- The whole schema, for all three databases. Macros are explained in qflowd/store/render.py; statements end at a line `;`.
-- Plural names are public (docs/sql-contract.md), singular names internal. States are codes from qflowd/model/states.py.
--
--   submissions, commands, signals       inboxes: what people write
--   workflow_definition, _version, _node templates       workflow_instance, task_instance  what runs
--   lane, timer, run_key, attempt, large_value, log_line, checkpoint, task_progress, code  beside the hot row
--   daemon, daemon_pool, daemon_job, job, plugin, waker   who is there      schedule, schedule_fire  what fires
--
-- "For" marks what nothing writes yet: it is here because a column is added to a large table, or to a key, at a price.

CREATE TABLE IF NOT EXISTS qflow.meta (
    name {key} NOT NULL PRIMARY KEY,
    value {text} NOT NULL
) {table}
;
-- Names this database for ever: a daemon's lock file carries it.
INSERT INTO qflow.meta (name, value) VALUES ('database_id', {new_id}) {ignored: meta.name}
;
-- Inboxes. `is_open` is the engine's own mark: what a client writes into answer columns is ignored.
CREATE TABLE IF NOT EXISTS qflow.submissions (
    id {identity},
    tenant {word} NOT NULL DEFAULT 'default',
    workflow {inbox_key},
    version {int},
    job {inbox_key},
    name {inbox_key},
    params {text},
    overrides {text},
    business_date {date},
    priority {int} NOT NULL DEFAULT 0,
    run_at {inbox_instant},
    hold {smallint} NOT NULL DEFAULT 0,
    idempotency_key {inbox_key},
    trigger_type {word} NOT NULL DEFAULT 'sql',
    submitted_by {inbox_key},
    created_at {inbox_instant} {now_default},
    state {word} NOT NULL DEFAULT 'NEW',
    instance_id {bigint},
    error {text},
    answered_at {inbox_instant},
    is_open {smallint} NOT NULL DEFAULT 1
) {table}
;
-- Serves take_submissions.
{index: submissions_open ON qflow.submissions (id) WHERE is_open = 1 | (is_open, id)}
;
CREATE TABLE IF NOT EXISTS qflow.commands (
    id {identity},
    tenant {word} NOT NULL DEFAULT 'default',
    action {word} NOT NULL,
    instance_id {bigint},
    workflow {inbox_key},
    task {inbox_key},
    task_id {bigint},
    filter {text},
    args {text},
    reason {text},
    requested_by {inbox_key},
    created_at {inbox_instant} {now_default},
    state {word} NOT NULL DEFAULT 'NEW',
    result {text},
    error {text},
    answered_at {inbox_instant},
    is_open {smallint} NOT NULL DEFAULT 1
) {table}
;
-- Serves take_commands.
{index: commands_open ON qflow.commands (id) WHERE is_open = 1 | (is_open, id)}
;
-- For tasks and schedules that wait for a signal; what is sent now is kept.
CREATE TABLE IF NOT EXISTS qflow.signals (
    id {identity},
    tenant {word} NOT NULL DEFAULT 'default',
    name {inbox_key} NOT NULL,
    payload {text},
    sent_by {inbox_key},
    created_at {inbox_instant} {now_default}
) {table}
;
-- Templates.
CREATE TABLE IF NOT EXISTS qflow.workflow_definition (
    id {identity},
    tenant {word} NOT NULL DEFAULT 'default',
    workflow {key} NOT NULL,
    title {text} NOT NULL,
    description {text} NOT NULL,
    domain {text} NOT NULL,
    type {text} NOT NULL,
    tags {text} NOT NULL,
    enabled {smallint} NOT NULL DEFAULT 1,
    source {word} NOT NULL,
    file {text},
    active_version {bigint},
    error {text},
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    CONSTRAINT workflow_definition_key UNIQUE (tenant, workflow)
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.workflow_version (
    id {identity},
    definition_id {bigint} NOT NULL,
    version {int} NOT NULL,
    state {smallint} NOT NULL CHECK (state BETWEEN 0 AND 2),
    document {text} NOT NULL,
    source_text {text},
    format {word} NOT NULL,
    hash {word} NOT NULL,
    created_at {instant} NOT NULL,
    CONSTRAINT workflow_version_key UNIQUE (definition_id, version)
) {table}
;
-- What the views join to put names on rows.
CREATE TABLE IF NOT EXISTS qflow.workflow_node (
    version_id {bigint} NOT NULL,
    node {int} NOT NULL,
    task {key} NOT NULL,
    title {text} NOT NULL,
    job {key} NOT NULL,
    pool {key} NOT NULL,
    params {text},
    PRIMARY KEY (version_id, node)
) {table}
;
-- Files in workflows/ that could not be read.
CREATE TABLE IF NOT EXISTS qflow.workflow_fault (
    file {plugin_file} NOT NULL PRIMARY KEY,
    workflow {key},
    error {text} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
-- What runs. id = submission's id.
CREATE TABLE IF NOT EXISTS qflow.workflow_instance (
    id {bigint_key},
    tenant {word} NOT NULL,
    version_id {bigint},
    job {key},
    name {text},
    state {smallint} NOT NULL CHECK (state BETWEEN 0 AND 5),
    saga_state {smallint} NOT NULL DEFAULT 0 CHECK (saga_state BETWEEN 0 AND 3), -- for compensations
    intent {smallint} NOT NULL DEFAULT 0,
    open_closers {int} NOT NULL,
    next_ordinal {int} NOT NULL,
    has_spawned {smallint} NOT NULL DEFAULT 0, -- for tasks that a running task adds
    priority {smallint} NOT NULL,
    business_date {date},
    parent_task {bigint}, -- for child workflows: the task that waits for this instance
    root {bigint}, -- for child workflows: the outermost instance
    trigger_type {word} NOT NULL,
    schedule {key},
    fire_at {instant},
    backfill {bigint}, -- for backfills: which one this instance belongs to
    concurrency_key {key}, -- for overlap policies
    params {text} NOT NULL,
    overrides {text},
    succeeded {int},
    failed {int},
    skipped {int},
    deadline_at {instant},
    paused_by {text}, -- for pause
    reason {smallint} NOT NULL DEFAULT 0,
    error {text},
    traceparent {text}, -- for traces: the span of the caller
    created_at {instant} NOT NULL,
    started_at {instant},
    finished_at {instant},
    updated_at {instant} NOT NULL
) {table}
;
-- Serves list_intents.
{index: workflow_instance_intent ON qflow.workflow_instance (id) WHERE intent <> 0 | (intent, id)}
;
-- Serves find_open_instances.
{index: workflow_instance_open ON qflow.workflow_instance (id) WHERE state < {instance.SUCCESS} | (state, id)}
;
-- id = instance_id * 2^20 + ordinal. `priority` is stored negated: the smallest is claimed first.
CREATE TABLE IF NOT EXISTS qflow.task_instance (
    id {bigint_key},
    node {int} NOT NULL,
    map_index {int}, -- for map: which item of the list
    kind {smallint} NOT NULL DEFAULT 0, -- for map, compensations and waits
    state {smallint} NOT NULL CHECK (state BETWEEN 0 AND 9),
    lane {int} NOT NULL,
    priority {smallint} NOT NULL,
    fence {int} NOT NULL DEFAULT 0,
    done_fence {int},
    owner {bigint},
    attempt {smallint} NOT NULL DEFAULT 0,
    crashes {smallint} NOT NULL DEFAULT 0,
    solo {smallint} NOT NULL DEFAULT 0,
    open_parents {int} NOT NULL CHECK (open_parents >= 0),
    need {int} NOT NULL,
    bad_parents {int} NOT NULL DEFAULT 0,
    reason {smallint} NOT NULL DEFAULT 0,
    code_id {int},
    ready_at {instant},
    started_at {instant},
    finished_at {instant},
    output {output}
) {hot_table}
;
-- Serves claim_tasks and list_heads.
{index: task_instance_claim ON qflow.task_instance (lane, priority, id) WHERE state = {task.READY} | (state, lane, priority, id)}
;
-- Serves list_held, list_lost, list_dead_daemons and the view pools.
{index: task_instance_held ON qflow.task_instance (owner) WHERE state IN ({task.RESERVED}, {task.RUNNING}) | (owner, state)}
;
CREATE TABLE IF NOT EXISTS qflow.lane (
    id {identity},
    tenant {word} NOT NULL,
    pool {key} NOT NULL,
    job {key} NOT NULL,
    limits {lane_limits} NOT NULL, -- for limits: the names of those that its tasks take slots of
    is_paused {smallint} NOT NULL DEFAULT 0, -- for the pause of a job
    CONSTRAINT lane_key UNIQUE (tenant, pool, job, limits)
) {table}
;
-- due: 100,000 future rows cost nothing. purpose 0: the task may run; 1: deadline of the instance.
CREATE TABLE IF NOT EXISTS qflow.timer (
    task_id {bigint} NOT NULL,
    purpose {smallint} NOT NULL,
    fence {int} NOT NULL,
    due_at {instant} NOT NULL,
    PRIMARY KEY (task_id, purpose)
) {table}
;
-- Serves list_due_timers.
{index: timer_due ON qflow.timer (due_at) | (due_at)}
;
-- purpose: idempotency (0); for business dates (1) and overlap policies (2).
CREATE TABLE IF NOT EXISTS qflow.run_key (
    tenant {word} NOT NULL,
    purpose {smallint} NOT NULL,
    run_key {key} NOT NULL,
    instance_id {bigint} NOT NULL,
    content_hash {word} NOT NULL,
    PRIMARY KEY (tenant, purpose, run_key)
) {table}
;
-- Parameters of rows that do not render them from their version. For map, spawned tasks and compensations.
CREATE TABLE IF NOT EXISTS qflow.task_input (
    task_id {bigint_key},
    params {text} NOT NULL
) {table}
;
-- Parts of 1 MB of outputs above 64 KB.
CREATE TABLE IF NOT EXISTS qflow.large_value (
    task_id {bigint} NOT NULL,
    part {int} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (task_id, part)
) {table}
;
-- Attempts that did not succeed or ran longer than 1 s.
CREATE TABLE IF NOT EXISTS qflow.attempt (
    task_id {bigint} NOT NULL,
    fence {int} NOT NULL,
    attempt {smallint} NOT NULL,
    state {smallint} NOT NULL,
    reason {smallint} NOT NULL,
    started_at {instant},
    finished_at {instant} NOT NULL,
    cpu_s {double},
    peak_memory_mb {double},
    exit_signal {smallint},
    code_id {int},
    daemon_id {bigint},
    error {text},
    traceback {text},
    output {output},
    PRIMARY KEY (task_id, fence)
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.log_line (
    id {identity},
    task_id {bigint} NOT NULL,
    fence {int} NOT NULL,
    attempt {smallint} NOT NULL,
    logged_at {instant} NOT NULL,
    stream {word} NOT NULL,
    level {word},
    logger {text},
    message {text} NOT NULL,
    attributes {text}
) {table}
;
-- Serves the view logs.
{index: log_line_task ON qflow.log_line (task_id, id) | (task_id, id)}
;
CREATE TABLE IF NOT EXISTS qflow.task_progress (
    task_id {bigint_key},
    fence {int} NOT NULL,
    done {double} NOT NULL,
    total {double},
    message {text} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.checkpoint (
    task_id {bigint_key},
    fence {int} NOT NULL,
    value {text} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.code (
    id {identity},
    hash {word} NOT NULL,
    file {code_file} NOT NULL,
    CONSTRAINT code_key UNIQUE (hash, file)
) {table}
;
-- Who is there. id: an incarnation, never reused.
CREATE TABLE IF NOT EXISTS qflow.daemon (
    id {identity},
    name {key} NOT NULL,
    host {key} NOT NULL,
    boot_id {word} NOT NULL,
    pid {int} NOT NULL,
    lock_file {text} NOT NULL,
    version {word} NOT NULL,
    state {smallint} NOT NULL,
    memory_mb {double},
    started_at {instant} NOT NULL,
    seen_at {instant} NOT NULL,
    lease_ends_at {instant} NOT NULL
) {table}
;
-- Serves list_dead_daemons.
{index: daemon_alive ON qflow.daemon (lease_ends_at) WHERE state < {daemon.GONE} | (state, lease_ends_at)}
;
CREATE TABLE IF NOT EXISTS qflow.daemon_pool (
    daemon_id {bigint} NOT NULL,
    pool {key} NOT NULL,
    processes {int} NOT NULL,
    threads {int} NOT NULL,
    PRIMARY KEY (daemon_id, pool)
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.daemon_job (
    daemon_id {bigint} NOT NULL,
    job {key} NOT NULL,
    PRIMARY KEY (daemon_id, job)
) {table}
;
-- Says who sleeps, so that the inboxes' trigger notifies nobody in vain.
CREATE TABLE IF NOT EXISTS qflow.waker (
    daemon_id {bigint_key},
    is_asleep {smallint} NOT NULL
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.job (
    name {key} NOT NULL PRIMARY KEY,
    title {text} NOT NULL,
    params_schema {text} NOT NULL,
    settings {text} NOT NULL,
    file {text} NOT NULL,
    hash {word} NOT NULL,
    doc {text} NOT NULL,
    updated_at {instant} NOT NULL
) {table}
;
-- Files in plugins/, as each daemon sees them.
CREATE TABLE IF NOT EXISTS qflow.plugin (
    daemon_id {bigint} NOT NULL,
    file {plugin_file} NOT NULL,
    hash {word} NOT NULL,
    jobs {text} NOT NULL,
    error {text},
    updated_at {instant} NOT NULL,
    PRIMARY KEY (daemon_id, file)
) {table}
;
CREATE TABLE IF NOT EXISTS qflow.schedule (
    definition_id {bigint} NOT NULL,
    name {word} NOT NULL,
    cron {text} NOT NULL,
    timezone {word} NOT NULL,
    catchup {word} NOT NULL,
    catchup_limit {int} NOT NULL,
    enabled {smallint} NOT NULL,
    enabled_override {smallint},
    next_fire_at {instant},
    last_fire_at {instant},
    PRIMARY KEY (definition_id, name)
) {table}
;
-- One row per instant: who inserts it, fires.
CREATE TABLE IF NOT EXISTS qflow.schedule_fire (
    definition_id {bigint} NOT NULL,
    name {word} NOT NULL,
    fire_at {instant} NOT NULL,
    instance_id {bigint},
    created_at {instant} NOT NULL,
    PRIMARY KEY (definition_id, name, fire_at)
) {table}
;
-- Serves fire_of_submission.
{index: schedule_fire_instance ON qflow.schedule_fire (instance_id) | (instance_id)}
;
{only: postgres
CREATE OR REPLACE FUNCTION qflow.wake_sleepers() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS '
BEGIN
    -- Under another isolation level the transaction may not see that somebody has fallen asleep.
    IF current_setting(''transaction_isolation'') <> ''read committed''
        OR EXISTS (SELECT 1 FROM qflow.waker WHERE is_asleep = 1) THEN PERFORM pg_notify(''qflow'', TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END'}
;
{only: postgres CREATE OR REPLACE TRIGGER submissions_wake AFTER INSERT ON qflow.submissions
FOR EACH STATEMENT EXECUTE FUNCTION qflow.wake_sleepers()}
;
{only: postgres CREATE OR REPLACE TRIGGER commands_wake AFTER INSERT ON qflow.commands
FOR EACH STATEMENT EXECUTE FUNCTION qflow.wake_sleepers()}
;
{only: postgres CREATE OR REPLACE TRIGGER signals_wake AFTER INSERT ON qflow.signals
FOR EACH STATEMENT EXECUTE FUNCTION qflow.wake_sleepers()}
