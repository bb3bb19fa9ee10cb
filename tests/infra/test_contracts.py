"""What Terraform tells Hazecast: environment variables and places."""

import re

from cloud import ROOT, SOURCE

from hazecast.settings import Settings, variable_of

SERVICES = "".join((SOURCE / name).read_text() for name in ("services.tf", "prefect.tf"))


def test_every_variable_that_tasks_are_given_is_a_setting():
    given = set(re.findall(r"\bHAZECAST_\w+", SERVICES))
    assert given - {variable_of(name) for name in Settings.model_fields} == {"HAZECAST_API_URL"}  # the dashboard's own
    assert '"HAZECAST_API_URL"' in (ROOT / "src/hazecast/dashboard/app.py").read_text()


def test_the_place_of_every_environment_is_there():
    for file in (SOURCE / "environments").glob("*.tfvars"):
        [place] = re.findall(r'^place += "(.+)"', file.read_text(), re.MULTILINE)
        assert (ROOT / "config" / f"{place}.yaml").exists()
