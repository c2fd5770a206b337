-- Gaps as people and programs read them, by the views session_runs and gaps.

-- name: find_session_workflow
SELECT w.calendar FROM qflow.workflow_definition d JOIN qflow.session_workflow w ON w.definition_id = d.id
WHERE d.tenant = :tenant AND d.workflow = :workflow

-- name: list_gaps
-- With `is_all` also those before the first date that the workflow has a run for.
SELECT g.business_date, g.state, g.instance_id FROM qflow.session_runs g
WHERE g.tenant = :tenant AND g.workflow = :workflow AND g.is_due = 1 AND (g.has_begun = 1 OR :is_all = 1)
    AND g.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast})
    AND (g.state IS NULL OR g.state <> 'SUCCESS') ORDER BY g.business_date

-- name: list_runs_by_date
-- Dates that a workflow has runs for, sessions or not: how many, and which counts.
SELECT f.business_date, f.runs, {words: instance i.state} AS state, i.id AS instance_id
FROM (SELECT r.business_date, COUNT(*) AS runs, COALESCE(MAX(CASE WHEN x.state = {instance.SUCCESS} THEN x.id END), MAX(x.id)) AS instance_id
    FROM qflow.dated_run r
    JOIN qflow.workflow_instance x ON x.business_date = r.business_date AND x.definition_id = r.definition_id
    WHERE r.definition_id = (SELECT d.id FROM qflow.workflow_definition d WHERE d.tenant = :tenant AND d.workflow = :workflow)
        AND r.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast})
    GROUP BY r.business_date) f
JOIN qflow.workflow_instance i ON i.id = f.instance_id ORDER BY f.business_date

-- name: list_session_runs
SELECT g.business_date, g.state, g.instance_id, g.is_due, g.has_begun FROM qflow.session_runs g
WHERE g.tenant = :tenant AND g.workflow = :workflow
    AND g.business_date BETWEEN CAST(:date_from AS {date_cast}) AND CAST(:date_to AS {date_cast}) ORDER BY g.business_date
