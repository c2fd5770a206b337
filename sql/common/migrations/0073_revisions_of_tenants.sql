-- The first revision of a tenant is the microsecond of its making, so that one which is deleted and made again never has a
-- revision twice: daemons remember quotas by it, ETags are made of it. SQLite's integers are wide enough.
{only: postgres ALTER TABLE qflow.tenant ALTER COLUMN revision TYPE BIGINT}
;
{only: mysql ALTER TABLE qflow.tenant MODIFY revision BIGINT NOT NULL}
;
