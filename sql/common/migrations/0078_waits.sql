-- What a signal is for, and what the engine answers. `is_open`: nobody has looked at it yet; `lapses_at`: `expires_at`, read.
ALTER TABLE qflow.signals ADD COLUMN business_date {date}
;
ALTER TABLE qflow.signals ADD COLUMN expires_at {inbox_instant}
;
ALTER TABLE qflow.signals ADD COLUMN state {word} NOT NULL DEFAULT 'NEW'
;
ALTER TABLE qflow.signals ADD COLUMN error {text}
;
ALTER TABLE qflow.signals ADD COLUMN answered_at {inbox_instant}
;
ALTER TABLE qflow.signals ADD COLUMN is_open {smallint} NOT NULL DEFAULT 1
;
ALTER TABLE qflow.signals ADD COLUMN lapses_at {instant}
;
-- Serves take_signals.
{index: signals_open ON qflow.signals (id) WHERE is_open = 1 | (is_open, id)}
;
-- Without what is too long to be a name.
-- Serves list_fresh_waiters, list_woken and find_signals_named.
{index: signals_name ON qflow.signals (tenant, name) WHERE LENGTH(tenant) <= 200 AND LENGTH(name) <= 200 | (tenant, name(200))}
;
-- Tasks that wait for a fact, each with the fence that its row has while it waits. `lane`: in which it began to wait.
CREATE TABLE IF NOT EXISTS qflow.waiter (
    task_id {bigint_key},
    fence {int} NOT NULL,
    tenant {word} NOT NULL,
    kind {smallint} NOT NULL,
    name {key} NOT NULL,
    business_date {date},
    state {smallint} NOT NULL,
    subject {text} NOT NULL,
    began_at {instant} NOT NULL,
    deadline_at {instant},
    default_answer {smallint},
    lane {int} NOT NULL,
    signal_id {bigint},
    answer {smallint},
    answered_by {text},
    note {text},
    answered_at {instant}
) {table}
;
-- Serves meet_waiters and find_open_approvals.
{index: waiter_fact ON qflow.waiter (tenant, kind, name) WHERE state < {wait.MET} | (tenant, kind, name, state)}
;
-- Serves list_fresh_waiters and list_woken.
{index: waiter_state ON qflow.waiter (state, task_id) | (state, task_id)}
;
