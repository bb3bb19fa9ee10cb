"""What Terraform tells Hazecast: environment variables and places."""

import re

from cloud import ROOT, SOURCE

from hazecast.settings import Settings, variable_of

FILES = {name: (SOURCE / name).read_text() for name in ("services.tf", "prefect.tf")}
SERVICES = "".join(FILES.values())


def test_every_variable_that_tasks_are_given_is_a_setting():
    given = set(re.findall(r"\bHAZECAST_\w+", SERVICES))
    assert given - {variable_of(name) for name in Settings.model_fields} == {"HAZECAST_API_URL"}  # the dashboard's own
    assert '"HAZECAST_API_URL"' in (ROOT / "src/hazecast/dashboard/app.py").read_text()


def test_whoever_speaks_to_the_database_does_so_by_tls():
    """Prefect's own TLS settings know no way without RDS's authority; its driver reads PGSSLMODE, as all do."""
    asked = {name: len(re.findall(r"module\.database\.host\b", text)) for name, text in FILES.items()}
    sure = {name: len(re.findall(r'PGSSLMODE += "require"', text)) for name, text in FILES.items()}
    assert asked == sure == {"services.tf": 1, "prefect.tf": 2}
    assert "TLS_ENABLED" not in SERVICES


def test_the_place_of_every_environment_is_there():
    for file in (SOURCE / "environments").glob("*.tfvars"):
        [place] = re.findall(r'^place += "(.+)"', file.read_text(), re.MULTILINE)
        assert (ROOT / "config" / f"{place}.yaml").exists()
