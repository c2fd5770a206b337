ALTER TABLE qflow.timer ADD COLUMN note {text}
;
