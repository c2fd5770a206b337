-- Groups of failures that a person does not want to be told of for a while. `workflow` is empty for a single job. Rows stay:
-- they tell who muted what, and why.
CREATE TABLE IF NOT EXISTS qflow.failure_mute (
    id {identity},
    tenant {key} NOT NULL,
    workflow {key} NOT NULL,
    task {text} NOT NULL,
    error_class {text} NOT NULL,
    muted_at {instant} NOT NULL,
    ends_at {instant} NOT NULL,
    muted_by {text},
    reason {text} NOT NULL
) {table}
;
-- Serves list_mutes.
{index: failure_mute_end ON qflow.failure_mute (tenant, ends_at) | (tenant, ends_at)}
;
