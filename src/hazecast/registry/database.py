"""MLflow's SQLite file: whether it is whole, and the addresses of artifacts in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from hazecast.errors import RegistryError

# Columns of MLflow that contain addresses of artifacts, where MLflow keeps them in a folder.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def require_intact(database: Path) -> None:
    """Check a SQLite file before MLflow opens it; one that does not exist is created by MLflow.

    Raises:
        RegistryError: it is damaged.
    """
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            [[found]] = connection.execute("pragma quick_check(1)").fetchall()
    except sqlite3.DatabaseError as err:
        found = str(err)
    if found != "ok":
        raise RegistryError(
            f"the database {database} is damaged ({found}); stop `hazecast up`, then restore a backup with "
            "`hazecast restore`, or start a new registry with `hazecast repair`"
        )


def move_artifacts(database: Path, *, old: str, new: str) -> None:
    """Replace the home in the addresses of artifacts, which are absolute."""
    if old == new or not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        known = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        for table, column in _ADDRESSES:
            if table in known:
                connection.execute(
                    f"update {table} set {column} = replace({column}, ?, ?)",
                    (f"{Path(old).as_uri()}/", f"{Path(new).as_uri()}/"),
                )
