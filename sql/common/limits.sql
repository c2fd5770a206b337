-- Limits: slots that tasks of all daemons share. Locked by name, after tasks and children, before instances.

-- name: insert_lane_limits
INSERT INTO qflow.lane_limit (lane, name, weight)
SELECT l.id, r.name, r.weight
FROM {rows: tenant text, pool text, job text, limits text, name text, weight int} r
JOIN qflow.lane l ON l.tenant = r.tenant AND l.pool = r.pool AND l.job = r.job AND l.limits = r.limits WHERE 1 = 1
{ignored: lane_limit.weight}

-- name: add_limits
-- Those that are there stay as they are.
INSERT INTO qflow.limit_key (name, capacity, rates, used, source, breaker, updated_at)
SELECT r.name, r.capacity, r.rates, 0, r.source, r.breaker, :now
FROM {rows: name text, capacity int, rates text, source text, breaker text} r WHERE 1 = 1 {ignored: limit_key.source}

-- name: set_limits
-- A breaker that is taken away is not left open.
INSERT INTO qflow.limit_key (name, capacity, rates, used, source, breaker, set_by, note, updated_at)
SELECT r.name, r.capacity, r.rates, 0, r.source, r.breaker, :set_by, :note, :now
FROM {rows: name text, capacity int, rates text, source text, breaker text} r WHERE 1 = 1
{upsert: name} capacity = {excluded: capacity}, rates = {excluded: rates}, frees_at = NULL, source = {excluded: source},
    breaker = {excluded: breaker}, failures = NULL, tripped_at = CASE WHEN {excluded: breaker} IS NULL THEN NULL ELSE limit_key.tripped_at END,
    set_by = {excluded: set_by}, note = {excluded: note}, updated_at = {excluded: updated_at}

-- name: note_configured
{update: qflow.limit_key k, name text, configured text | k.name = d.name}
configured = d.configured

-- name: delete_limit
DELETE FROM qflow.limit_key WHERE name = :name

-- name: find_limit
SELECT k.name, k.capacity, k.rates, k.source, k.breaker, k.used, k.configured, k.resumes_at, k.tripped_at FROM qflow.limit_key k
WHERE k.name = :name {only: postgres,mysql FOR UPDATE}

-- name: list_limits
SELECT k.name, k.capacity, k.rates, k.source, k.breaker, k.configured FROM qflow.limit_key k ORDER BY k.name

-- name: list_patterns
SELECT k.name, k.capacity, k.rates, k.breaker FROM qflow.limit_key k WHERE k.name LIKE '%*'

-- name: load_limits
SELECT k.name, k.capacity, k.rates, k.source, k.breaker FROM {rows: name text} r JOIN qflow.limit_key k ON k.name = r.name

-- name: lock_limits
SELECT k.name, k.capacity, k.used, k.rates, k.spent, k.resumes_at, k.breaker, k.failures, k.tripped_at, k.retries_at, k.probe,
    k.probe_fence FROM {rows: name text} r
{only: mysql STRAIGHT_JOIN qflow.limit_key k FORCE INDEX (PRIMARY)}{only: postgres,sqlite JOIN qflow.limit_key k} ON k.name = r.name
ORDER BY k.name {only: postgres FOR UPDATE OF k}{only: mysql FOR UPDATE}

-- name: move_slots
-- Taken above 0, given back below. Several are locked in their order first.
{update: qflow.limit_key k, name text, slots int | k.name = d.name}
used = CASE WHEN k.used + d.slots < 0 THEN 0 ELSE k.used + d.slots END

-- name: save_spent
{update: qflow.limit_key k, name text, spent text, frees_at instant | k.name = d.name}
spent = d.spent, frees_at = d.frees_at

-- name: pause_limits
-- As tasks ask; a pause that lasts longer, such as one by a person, stays.
{update: qflow.limit_key k, name text, resumes_at instant, pause_reason text | k.name = d.name}
pause_reason = CASE WHEN k.resumes_at > d.resumes_at THEN k.pause_reason ELSE d.pause_reason END,
paused_by = CASE WHEN k.resumes_at > d.resumes_at THEN k.paused_by END,
resumes_at = CASE WHEN k.resumes_at > d.resumes_at THEN k.resumes_at ELSE d.resumes_at END

-- name: pause_limit
UPDATE qflow.limit_key SET resumes_at = :resumes_at, paused_at = :paused_at, paused_by = :paused_by, pause_reason = :pause_reason
WHERE name = :name

-- name: save_breakers
{update: qflow.limit_key k, name text, failures text, tripped_at instant, retries_at instant, trip_reason text | k.name = d.name}
failures = d.failures, tripped_at = d.tripped_at, retries_at = d.retries_at, trip_reason = d.trip_reason, probe = NULL, probe_fence = NULL

-- name: save_probes
{update: qflow.limit_key k, name text, probe bigint, probe_fence int | k.name = d.name}
probe = d.probe, probe_fence = d.probe_fence

-- name: list_miscounted
-- Limits whose `used` is not what rows hold: somebody has changed rows by hand, or restored a part of them.
SELECT k.name, k.used, COALESCE(h.held, 0) AS held FROM qflow.limit_key k
LEFT JOIN (SELECT l.name, SUM(l.weight) AS held FROM qflow.task_instance t JOIN qflow.lane_limit l ON l.lane = t.lane
    WHERE t.state = {task.RUNNING} GROUP BY l.name) h ON h.name = k.name
WHERE k.used <> COALESCE(h.held, 0) ORDER BY k.name

-- name: list_unmade_limits
-- Limits that lanes name and that are not there: deleted by hand.
SELECT DISTINCT l.name FROM qflow.lane_limit l
WHERE NOT EXISTS (SELECT 1 FROM qflow.limit_key k WHERE k.name = l.name) ORDER BY l.name
