-- Which instance of a workflow holds a business date: the first that was let in.
CREATE TABLE IF NOT EXISTS qflow.dated_run (
    definition_id {bigint} NOT NULL,
    business_date {date} NOT NULL,
    instance_id {bigint} NOT NULL,
    PRIMARY KEY (definition_id, business_date)
) {table}
;
-- 1: another instance for the same business date is wanted.
ALTER TABLE qflow.submissions ADD COLUMN allow_duplicates {smallint} NOT NULL DEFAULT 0
;
-- What was submitted before this rule is let in.
UPDATE qflow.submissions SET allow_duplicates = 1 WHERE is_open = 1
;
-- Of instances before this rule: the latest that succeeded, or the latest.
INSERT INTO qflow.dated_run (definition_id, business_date, instance_id)
SELECT i.definition_id, i.business_date, COALESCE(MAX(CASE WHEN i.state = {instance.SUCCESS} THEN i.id END), MAX(i.id))
FROM qflow.workflow_instance i WHERE i.definition_id IS NOT NULL AND i.business_date IS NOT NULL
GROUP BY i.definition_id, i.business_date {ignored: dated_run.instance_id}
;
