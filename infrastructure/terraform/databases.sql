-- Databases and users of MLflow and Prefect. Running it again changes only the passwords, to what the secrets say.
\getenv mlflow_password MLFLOW_PASSWORD
\getenv prefect_password PREFECT_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['mlflow', 'prefect']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE mlflow PASSWORD :'mlflow_password';
ALTER ROLE prefect PASSWORD :'prefect_password';
GRANT mlflow, prefect TO CURRENT_USER;

SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM unnest(ARRAY['mlflow', 'prefect']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec

REVOKE CONNECT ON DATABASE mlflow, prefect FROM PUBLIC;

\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
