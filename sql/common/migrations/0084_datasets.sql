-- Datasets by their whole names, such as cn_daily@2026-11-20, with the latest version; `series`: what stands before the @.
CREATE TABLE IF NOT EXISTS qflow.dataset (
    id {identity},
    tenant {key} NOT NULL,
    name {key} NOT NULL,
    series {key} NOT NULL,
    version {int} NOT NULL,
    CONSTRAINT dataset_key UNIQUE (tenant, name)
) {table}
;
-- Serves the view datasets.
{index: dataset_series ON qflow.dataset (tenant, series) | (tenant, series)}
;
-- Each version, with the task whose success it is, and what that returned.
CREATE TABLE IF NOT EXISTS qflow.dataset_version (
    id {identity},
    dataset_id {bigint} NOT NULL,
    version {int} NOT NULL,
    task_id {bigint} NOT NULL,
    workflow {key} NOT NULL,
    task {key} NOT NULL,
    business_date {date},
    recorded_at {instant} NOT NULL,
    metadata {text},
    CONSTRAINT dataset_version_key UNIQUE (dataset_id, version)
) {table}
;
