-- Schedules by the sessions of a calendar: '' where a schedule says nothing of it.
ALTER TABLE qflow.schedule ADD COLUMN calendar {word} NOT NULL DEFAULT ''
;
-- Such as `close+30m`; `cron` is '' then.
ALTER TABLE qflow.schedule ADD COLUMN session_time {word} NOT NULL DEFAULT ''
;
-- Such as `last session of month`.
ALTER TABLE qflow.schedule ADD COLUMN session_days {word} NOT NULL DEFAULT ''
;
-- Such as `20:50-02:35`.
ALTER TABLE qflow.schedule ADD COLUMN day_window {word} NOT NULL DEFAULT ''
;
