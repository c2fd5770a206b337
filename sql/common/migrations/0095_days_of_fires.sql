-- Serves list_fired_days and list_days_with_fires.
{index: schedule_fire_day ON qflow.schedule_fire (definition_id, name, business_date) | (definition_id, name, business_date)}
