-- Since when and why somebody has paused or stopped a backfill; `paused_by` says who.
ALTER TABLE qflow.backfill ADD COLUMN paused_at {instant}
;
ALTER TABLE qflow.backfill ADD COLUMN pause_reason {text}
