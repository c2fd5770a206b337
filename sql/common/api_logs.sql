-- Lines of tasks for the HTTP API: ids by an index, lines of a page by their ids. Of an instance all ids are looked at, of a
-- task those of the page alone; the ends of an instance by its tasks, unless these are many.

-- name: show_task_place
SELECT t.id, t.state, t.attempt FROM qflow.workflow_instance i JOIN qflow.task_instance t ON t.id = :id
WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: find_lines_of_task
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id > :after ORDER BY g.id LIMIT {literal: batch}

-- name: find_last_lines_of_task
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id < :before ORDER BY g.id DESC LIMIT {literal: batch}

-- name: find_end_of_lines
-- Where as many lines end as are looked at together, for few that are wanted; nothing where fewer follow.
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id > :after ORDER BY g.id LIMIT 1 OFFSET {literal: batch}

-- name: find_start_of_lines
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id < :before ORDER BY g.id DESC LIMIT 1 OFFSET {literal: batch}

-- name: find_wanted_lines_of_task
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id > :after AND g.id < :before
    AND :attempt IN (0, g.attempt) AND :fence IN (0, g.fence) AND (:levels = '' OR :levels LIKE {concat: '%,', COALESCE(g.level, ''), ',%'})
    AND (:search = '' OR {contains: LOWER(g.message), LOWER(:search)})
ORDER BY g.id LIMIT {literal: batch}

-- name: find_last_wanted_lines_of_task
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task} ON g.task_id = :task_id
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id > :after AND g.id < :before
    AND :attempt IN (0, g.attempt) AND :fence IN (0, g.fence) AND (:levels = '' OR :levels LIKE {concat: '%,', COALESCE(g.level, ''), ',%'})
    AND (:search = '' OR {contains: LOWER(g.message), LOWER(:search)})
ORDER BY g.id DESC LIMIT {literal: batch}

-- name: find_lines
-- PostgreSQL would read all lines there are, in the order of their ids, until enough are the instance's.
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
    ON g.task_id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id > :after
ORDER BY g.id {only: postgres + 0} LIMIT {literal: batch}

-- name: find_ends_of_lines
SELECT MIN(g.id {only: postgres + 0}) AS first_id, MAX(g.id {only: postgres + 0}) AS last_id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
    ON g.task_id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: count_ordinals
-- As many tasks as an instance may have.
SELECT i.next_ordinal AS ordinals FROM qflow.workflow_instance i WHERE i.id = :instance_id AND i.tenant = :tenant

-- name: find_ends_by_task
-- The ends of each task stand in the index. PostgreSQL would read all lines there are in the order of their ids, were it not
-- asked for that of the index.
SELECT MIN(x.first_id) AS first_id, MAX(x.last_id) AS last_id FROM (SELECT
    (SELECT g.id FROM qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
        WHERE g.task_id {only: postgres BETWEEN t.id AND}{only: mysql,sqlite =} t.id
        ORDER BY {only: postgres g.task_id,} g.id LIMIT 1) AS first_id,
    (SELECT g.id FROM qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
        WHERE g.task_id {only: postgres BETWEEN t.id AND}{only: mysql,sqlite =} t.id
        ORDER BY {only: postgres g.task_id DESC,} g.id DESC LIMIT 1) AS last_id
    FROM qflow.workflow_instance i JOIN qflow.task_instance t ON t.id BETWEEN :first AND :last
    WHERE i.id = :instance_id AND i.tenant = :tenant) x

-- name: find_last_lines
-- `after` is not far below `before`: to sort all lines of an instance takes longer than to look at them.
SELECT g.id FROM qflow.workflow_instance i
JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
    ON g.task_id BETWEEN :first AND :last
WHERE i.id = :instance_id AND i.tenant = :tenant AND g.id < :before AND g.id > :after
ORDER BY g.id {only: postgres + 0} DESC LIMIT {literal: batch}

-- name: count_lines
SELECT COUNT(*) AS lines_found FROM (SELECT g.id FROM qflow.workflow_instance i
    JOIN qflow.log_line g {only: mysql FORCE INDEX (log_line_task)} {only: sqlite INDEXED BY log_line_task}
        ON g.task_id BETWEEN :first AND :last
    WHERE i.id = :instance_id AND i.tenant = :tenant LIMIT {literal: batch}) x

-- name: measure_lines
-- Before lines are read: one may have a megabyte.
SELECT g.id, {only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(g.message)
    + COALESCE({only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(g.attributes), 0) AS bytes
FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN} {only: postgres,sqlite JOIN} qflow.log_line g {only: mysql FORCE INDEX (PRIMARY)} ON g.id = r.id
JOIN qflow.workflow_instance i ON i.id = g.task_id >> 20
WHERE i.tenant = :tenant AND :attempt IN (0, g.attempt) AND :fence IN (0, g.fence)
    AND (:levels = '' OR :levels LIKE {concat: '%,', COALESCE(g.level, ''), ',%'}) AND (:search = '' OR {contains: LOWER(g.message), LOWER(:search)})

-- name: measure_logs
-- As `list_logs` gives them to a client.
SELECT {only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(message)
    + COALESCE({only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(attributes), 0) AS bytes
FROM qflow.logs WHERE instance_id = :instance_id AND id > :after AND tenant = :tenant ORDER BY id LIMIT {literal: batch}

-- name: measure_task_logs
SELECT {only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(message)
    + COALESCE({only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(attributes), 0) AS bytes
FROM qflow.logs WHERE instance_id = :instance_id AND task = :task AND id > :after AND tenant = :tenant
ORDER BY id LIMIT {literal: batch}

-- name: list_lines
-- PostgreSQL would read all lines of all tasks, were it told that it can find those of a task.
SELECT g.id, g.task_id, COALESCE(n.task, i.job) AS task, t.map_index, t.label, g.attempt, g.logged_at AS at, g.stream, g.level,
    g.logger, g.message, g.attributes
FROM {rows: id bigint} r
{only: mysql STRAIGHT_JOIN} {only: postgres,sqlite JOIN} qflow.log_line g {only: mysql FORCE INDEX (PRIMARY)} ON g.id = r.id
JOIN qflow.task_instance t {only: mysql FORCE INDEX (PRIMARY)} ON t.id = g.task_id {only: postgres + 0}
JOIN qflow.workflow_instance i ON i.id = t.id >> 20
LEFT JOIN qflow.workflow_node n ON n.version_id = i.version_id AND n.node = t.node
WHERE i.tenant = :tenant AND :attempt IN (0, g.attempt) AND :fence IN (0, g.fence)
    AND (:levels = '' OR :levels LIKE {concat: '%,', COALESCE(g.level, ''), ',%'}) AND (:search = '' OR {contains: LOWER(g.message), LOWER(:search)})
