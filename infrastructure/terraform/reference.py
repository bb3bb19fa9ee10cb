"""Generate docs/aws/reference.md from variables.tf, settings.tf and outputs.tf: `make infra-docs`."""

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "aws" / "reference.md"
_HEAD = """# Variables and outputs

Written by `make infra-docs` from `variables.tf`, `settings.tf` and `outputs.tf` in `infrastructure/terraform`. Defaults
are for production; `environments/*.tfvars` override them.
"""


def reference(folder: Path = HERE) -> str:
    """The page: one table of variables for each section of variables.tf, and one of outputs."""
    lines = [_HEAD]
    settings = (folder / "settings.tf").read_text().removeprefix("# ")
    variables = (folder / "variables.tf").read_text()
    for title, text in [*_sections(variables), ("Settings of Hazecast (null: its default)", settings)]:
        lines += [f"## {title}", "", "| variable | type | default | description |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | `{_value(body, 'type')}` | {_default(body)} | {_text(body)} |"
            for name, body in _blocks(text)
        ]
        lines.append("")
    lines += ["## Outputs", "", "| output | description |", "|---|---|"]
    lines += [f"| `{name}` | {_text(body)} |" for name, body in _blocks((folder / "outputs.tf").read_text())]
    return "\n".join(lines) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Titles and texts of the sections; a comment between two blank lines starts one."""
    parts = re.split(r"\n\n# ([^\n]+)\n\n", text)
    yield "Environment", parts[0]
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)


def _value(body: str, name: str) -> str:
    found = re.search(rf"^  {name} += (.*?)(?=\n  \w|\n\n|\Z)", body, re.DOTALL | re.MULTILINE)
    words = " ".join(found.group(1).split()) if found else ""
    return re.sub(r"(\w) = (\w+) (?=\w)", r"\1 = \2, ", words)


def _text(body: str) -> str:
    return _value(body, "description").strip('"')


def _default(body: str) -> str:
    default = _value(body, "default")
    return f"`{default}`" if default else "none (required)"


if __name__ == "__main__":
    PAGE.write_text(reference())
