#!/bin/bash
# Run by PostgreSQL's image on a new volume: creates a database and a user each for MLflow and Prefect.
set -euo pipefail
for name in mlflow prefect; do
  psql --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
    --set=name="$name" --set=password="$(cat "/run/secrets/${name}_db")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
psql --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=prefect \
  --command='CREATE EXTENSION IF NOT EXISTS pg_trgm'
