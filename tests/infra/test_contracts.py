"""The environment variables and places that Terraform configures."""

import re

from cloud import ROOT, SOURCE

from hazecast.settings import Settings, variable_of

FILES = {name: (SOURCE / name).read_text() for name in ("services.tf", "prefect.tf")}
SERVICES = "".join(FILES.values())


def test_task_variables_are_settings():
    given = {name.removesuffix("_CONTENT") for name in re.findall(r"\bHAZECAST_\w*[A-Z]\b", SERVICES)}
    assert given <= {variable_of(name) for name in Settings.model_fields}


def test_database_connections_require_tls():
    """Prefect's own TLS settings require the RDS certificate authority; its driver reads PGSSLMODE."""
    connections = {name: len(re.findall(r"module\.database\.host\b", text)) for name, text in FILES.items()}
    encrypted = {name: len(re.findall(r'PGSSLMODE += "require"', text)) for name, text in FILES.items()}
    assert connections == encrypted == {"services.tf": 1, "prefect.tf": 2}
    assert "TLS_ENABLED" not in SERVICES


def test_places_of_environments_exist():
    for file in (SOURCE / "environments").glob("*.tfvars"):
        [place] = re.findall(r'^place += "(.+)"', file.read_text(), re.MULTILINE)
        assert (ROOT / "config" / f"{place}.yaml").exists()
