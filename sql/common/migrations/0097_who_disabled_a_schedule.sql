-- Who has disabled a schedule by a command, when and why.
ALTER TABLE qflow.schedule ADD COLUMN disabled_by {text}
;
ALTER TABLE qflow.schedule ADD COLUMN disabled_at {instant}
;
ALTER TABLE qflow.schedule ADD COLUMN disable_reason {text}
