-- Backfills: a workflow is run for each of many dates, a few at a time, by whichever daemon looks next. '' where one says
-- nothing: every day is a date of it (calendar), at any time (day_window).
CREATE TABLE IF NOT EXISTS qflow.backfill (
    id {identity},
    tenant {key} NOT NULL,
    definition_id {bigint} NOT NULL,
    first_date {date} NOT NULL,
    last_date {date} NOT NULL,
    calendar {word} NOT NULL,
    only_missing {smallint} NOT NULL,
    newest_first {smallint} NOT NULL,
    max_active {int} NOT NULL,
    priority {int} NOT NULL,
    params {text} NOT NULL,
    day_window {word} NOT NULL,
    timezone {word} NOT NULL,
    state {smallint} NOT NULL,
    resumes_at {instant}, -- until then it submits nothing, because of `hold`
    hold {text},
    paused_by {text},
    run_s {double} NOT NULL, -- how long the runs of its dates took, together
    reason {text},
    requested_by {text},
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    finished_at {instant}
) {table}
;
-- Serves list_open_backfills.
{index: backfill_open ON qflow.backfill (id) WHERE state < {backfill.DONE} | (state, id)}
;
-- Serves the view backfills.
{index: backfill_tenant ON qflow.backfill (tenant, id) | (tenant, id)}
;
-- place: in the order in which they run. The id of its submission is that of its instance.
CREATE TABLE IF NOT EXISTS qflow.backfill_date (
    backfill_id {bigint} NOT NULL,
    place {int} NOT NULL,
    business_date {date} NOT NULL,
    state {smallint} NOT NULL,
    submission_id {bigint},
    PRIMARY KEY (backfill_id, place)
) {table}
;
-- Serves list_open_dates, list_active_dates and the view backfills.
{index: backfill_date_state ON qflow.backfill_date (backfill_id, state, place) | (backfill_id, state, place)}
;
-- Serves insert_instances.
{index: backfill_date_submission ON qflow.backfill_date (submission_id) WHERE submission_id IS NOT NULL | (submission_id)}
;
