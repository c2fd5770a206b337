-- Datasets: what tasks have produced. Locked by name, after tasks and children, before all else; by a command that has locked
-- all rows of an instance, also after that instance, as whoever has a dataset wants nothing of it.

-- name: raise_dataset
-- Its latest version is one more; whoever produces the same at this moment waits.
INSERT INTO qflow.dataset (tenant, name, series, version) VALUES (:tenant, :name, :series, 1)
{upsert: tenant, name} version = dataset.version + 1

-- name: insert_dataset_version
-- What the task returned is kept with it, as the next rerun overwrites it there.
INSERT INTO qflow.dataset_version (dataset_id, version, task_id, workflow, task, business_date, recorded_at, metadata)
SELECT d.id, d.version, t.id, :workflow, :task, CAST(:business_date AS {date_cast}), :now,
    CASE WHEN {only: postgres,sqlite OCTET_LENGTH}{only: mysql LENGTH}(t.output) <= 10000 THEN t.output END
FROM qflow.dataset d JOIN qflow.task_instance t ON t.id = :task_id WHERE d.tenant = :tenant AND d.name = :name
