-- Of a schedule that starts on a fact: since when facts count. `held_at` has said so until now; a calendar alone holds.
ALTER TABLE qflow.schedule ADD COLUMN facts_since_at {instant}
;
UPDATE qflow.schedule SET facts_since_at = held_at WHERE fact_kind IS NOT NULL
;
