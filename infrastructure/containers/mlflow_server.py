"""The MLflow server on PostgreSQL: upgrades the database schema, then serves. No password is in its arguments.

DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD set the database, MLFLOW_ARTIFACTS_DESTINATION the artifact store,
MLFLOW_TRACKING_PASSWORD the password, HAZECAST_ALLOWED_HOSTS the accepted host names. The driver reads PGSSLMODE.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")

from servers import serve  # hazecast.servers, in the same folder of the image
from sqlalchemy import URL, create_engine, inspect


def database() -> URL:
    """Address of the tracking database."""
    return URL.create(
        "postgresql+psycopg",
        username=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        host=os.environ["DB_HOST"],
        port=int(os.environ.get("DB_PORT", "5432")),
        database=os.environ["DB_NAME"],
    )


def upgrade(url: URL) -> None:
    """Upgrade the schema of an older MLflow; the server does not start on an old schema."""
    engine = create_engine(url)
    if inspect(engine).has_table("alembic_version"):
        from mlflow.store.db.utils import _upgrade_db

        _upgrade_db(engine)
    engine.dispose()


if __name__ == "__main__":
    address = database()
    upgrade(address)
    os.environ["MLFLOW_BACKEND_STORE_URI"] = address.render_as_string(hide_password=False)
    serve("mlflow", host="0.0.0.0")
