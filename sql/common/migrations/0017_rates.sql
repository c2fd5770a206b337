-- rates: a JSON list such as ["200/min"]; spent: by rate, how many tokens in which part of its window (qflowd/model/rates.py);
-- frees_at: when a rate that is used up allows the next task.
ALTER TABLE qflow.limit_key ADD COLUMN rates {text}
;
ALTER TABLE qflow.limit_key ADD COLUMN spent {text}
;
ALTER TABLE qflow.limit_key ADD COLUMN frees_at {instant}
;
-- Nothing that needs the limit begins before then.
ALTER TABLE qflow.limit_key ADD COLUMN resumes_at {instant}
;
ALTER TABLE qflow.limit_key ADD COLUMN pause_reason {text}
;
