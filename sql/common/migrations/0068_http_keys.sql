-- Requests that may be repeated: what was answered first. `request`: which one it was.
CREATE TABLE IF NOT EXISTS qflow.http_key (
    tenant {word} NOT NULL,
    name {key} NOT NULL,
    content_hash {word} NOT NULL,
    request {word} NOT NULL,
    answer {text},
    created_at {instant} NOT NULL,
    PRIMARY KEY (tenant, name)
) {table}
;
-- Serves delete_old_http_keys.
{index: http_key_created ON qflow.http_key (created_at) | (created_at)}
;
-- Serves list_batches.
{index: commands_batches ON qflow.commands (tenant, id) WHERE is_batch = 1 | (tenant, is_batch, id)}
;
