-- Why a row was rejected, as a number of model/refusals.py.
ALTER TABLE qflow.submissions ADD COLUMN error_code {int}
;
ALTER TABLE qflow.commands ADD COLUMN error_code {int}
;
-- 1: a command for many instances.
ALTER TABLE qflow.commands ADD COLUMN is_batch {smallint} NOT NULL DEFAULT 0
;
