"""databases.sql on a real PostgreSQL 16, run by a non-superuser administrator as in RDS."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloud import SOURCE

SCRIPT = (SOURCE / "databases.sql").read_text()
# The wheel's PostgreSQL has no contrib; RDS has.
EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm;"
PASSWORDS = {"MLFLOW_PASSWORD": "one'; DROP ROLE mlflow; --", "PREFECT_PASSWORD": "two"}
Psql = Callable[..., str]


@pytest.fixture
def psql(tmp_path: Path) -> Iterator[Psql]:
    """Run SQL as a user in a database; returns unaligned rows."""
    pgserver = pytest.importorskip("pgserver", reason="no PostgreSQL in a wheel for this Python", exc_type=ImportError)
    server = pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop")
    program = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    where = server.get_postmaster_info()

    def run(sql: str, *, user: str = "hazecast_admin", database: str = "postgres") -> str:
        variables = {"PGHOST": str(where.socket_dir), "PGUSER": user, "PGDATABASE": database, **PASSWORDS}
        command = [program, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", "--tuples-only", "--no-align"]
        done = subprocess.run(
            command, input=sql, env=os.environ | variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("CREATE ROLE hazecast_admin LOGIN CREATEROLE CREATEDB", user="postgres")
    yield run
    server.cleanup()


OWNERS = """
SELECT datname || ' ' || pg_get_userbyid(datdba) FROM pg_database WHERE datname IN ('mlflow', 'prefect') ORDER BY 1
"""
RIGHTS = """
SELECT has_database_privilege(name, other, 'CONNECT')
FROM (VALUES ('mlflow', 'prefect'), ('prefect', 'mlflow')) AS pair (name, other)
"""
HASHED = "SELECT rolname FROM pg_authid WHERE rolname IN ('mlflow', 'prefect') AND rolpassword LIKE 'SCRAM%' ORDER BY 1"


def test_each_service_has_a_private_database(psql: Psql):
    assert EXTENSION in SCRIPT
    for _ in range(2):
        psql(SCRIPT.replace(EXTENSION, ""))
    assert psql(OWNERS).splitlines() == ["mlflow mlflow", "prefect prefect"]
    assert psql(RIGHTS).splitlines() == ["f", "f"]
    for name in ("mlflow", "prefect"):
        assert psql("CREATE TABLE one (n int); SELECT count(*) FROM one", user=name, database=name) == "0"
    assert psql(HASHED, user="postgres").splitlines() == ["mlflow", "prefect"]
