-- breaker: JSON such as {"failures": "5/min", "open_s": 60.0, "on": ["error", "timeout"]}; null: the limit has none.
ALTER TABLE qflow.limit_key ADD COLUMN breaker {text}
;
-- failures: a JSON list of when attempts failed, while it is closed.
ALTER TABLE qflow.limit_key ADD COLUMN failures {text}
;
-- tripped_at: since when it is open, or half-open; null: it is closed. retries_at: from then on one task tries.
ALTER TABLE qflow.limit_key ADD COLUMN tripped_at {instant}
;
ALTER TABLE qflow.limit_key ADD COLUMN retries_at {instant}
;
ALTER TABLE qflow.limit_key ADD COLUMN trip_reason {text}
;
-- The task that tries, and by which fence: with another one it has been lost, and the next task may try.
ALTER TABLE qflow.limit_key ADD COLUMN probe {bigint}
;
ALTER TABLE qflow.limit_key ADD COLUMN probe_fence {int}
