-- Of the head of a map: how many of its items start anew and wait for a place, none of them before index `gate`.
ALTER TABLE qflow.fan_out ADD COLUMN gated {int} NOT NULL DEFAULT 0
;
ALTER TABLE qflow.fan_out ADD COLUMN gate {int} NOT NULL DEFAULT 0
;
