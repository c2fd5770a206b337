-- PostgreSQL alone sorts the unique key by the database's language, in which what begins alike need not stand together.
{only: postgres
-- Serves search_datasets.
{index: dataset_name ON qflow.dataset (tenant, name COLLATE "C") | (tenant, name)}
}
