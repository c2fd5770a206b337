-- Of a schedule that starts on a fact: its kind and name. `held_at`: since when facts count.
ALTER TABLE qflow.schedule ADD COLUMN fact_kind {smallint}
;
ALTER TABLE qflow.schedule ADD COLUMN fact_name {key}
;
-- Serves find_fact_starts and list_workflow_starts.
{index: schedule_fact ON qflow.schedule (fact_kind) WHERE fact_kind IS NOT NULL | (fact_kind)}
;
-- The fact that has started it: an instance, a dataset or a signal.
ALTER TABLE qflow.schedule_fire ADD COLUMN fact_kind {smallint}
;
ALTER TABLE qflow.schedule_fire ADD COLUMN fact_id {bigint}
;
-- One run of a fact and a schedule; fires by time have none.
-- Serves list_workflow_facts, list_dataset_facts and list_signal_facts.
{unique_index: schedule_fire_fact ON qflow.schedule_fire (definition_id, name, fact_kind, fact_id)}
;
