-- Several schedules of one workflow, what commands change of them, and what became of each instant.
-- JSON; NULL: what it submits has the defaults.
ALTER TABLE qflow.schedule ADD COLUMN params {text}
;
-- While its calendar knows no next instant: until when everything is handled.
ALTER TABLE qflow.schedule ADD COLUMN held_at {instant}
;
-- While a command has changed when it fires: what the file says, as JSON and in words, and who has changed it.
ALTER TABLE qflow.schedule ADD COLUMN file_schedule {text}
;
ALTER TABLE qflow.schedule ADD COLUMN file_says {text}
;
ALTER TABLE qflow.schedule ADD COLUMN set_by {text}
;
ALTER TABLE qflow.schedule ADD COLUMN set_at {instant}
;
ALTER TABLE qflow.schedule ADD COLUMN set_reason {text}
;
ALTER TABLE qflow.schedule_fire ADD COLUMN business_date {date}
;
-- 1: it passed, and was not made up for.
ALTER TABLE qflow.schedule_fire ADD COLUMN is_missed {smallint} NOT NULL DEFAULT 0
;
