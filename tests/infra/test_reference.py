"""The reference page of variables and outputs is complete and up to date."""

import re
import sys

from cloud import ROOT, SOURCE

sys.path.insert(0, str(SOURCE))
from reference import PAGE, reference


def test_page_matches_the_terraform_files():
    assert PAGE.read_text() == reference(), "run `make infra-docs`"


def test_every_variable_and_output_is_described():
    for file in [*SOURCE.rglob("variables.tf"), *SOURCE.rglob("outputs.tf")]:
        if ".terraform" in file.parts:
            continue
        blocks = re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', file.read_text(), re.DOTALL | re.MULTILINE)
        assert blocks, file
        assert [name for name, body in blocks if not re.search(r'^  description += "\S', body, re.MULTILINE)] == [], (
            file
        )


def test_every_output_is_used_by_the_scripts():
    scripts = "".join(file.read_text() for file in [ROOT / "deploy.sh", *(ROOT / "infrastructure/deploy").glob("*")])
    names = re.findall(r'^output "(\w+)"', (SOURCE / "outputs.tf").read_text(), re.MULTILINE)
    assert [name for name in names if f".{name}.value" not in scripts] == []
