-- A share of new instances, in ten-thousandths, runs another version than the active one.
ALTER TABLE qflow.workflow_definition ADD COLUMN canary_version {bigint}
;
ALTER TABLE qflow.workflow_definition ADD COLUMN canary_share {int}
;
