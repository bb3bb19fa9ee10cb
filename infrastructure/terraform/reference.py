"""docs/aws/reference.md: every variable and output, as variables.tf and outputs.tf describe them. `make infra-docs`."""

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "aws" / "reference.md"
_HEAD = """# Variables and outputs

Written by `make infra-docs` from `infrastructure/terraform/variables.tf` and `outputs.tf`. The defaults are production;
`environments/*.tfvars` say what differs elsewhere.
"""


def reference(folder: Path = HERE) -> str:
    """The page: one table of variables for each section of variables.tf, and one of outputs."""
    lines = [_HEAD]
    for title, text in _sections((folder / "variables.tf").read_text()):
        lines += [f"## {title}", "", "| variable | type | default | what |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | `{_value(body, 'type')}` | {_default(body)} | {_text(body)} |"
            for name, body in _blocks(text)
        ]
        lines.append("")
    lines += ["## Outputs", "", "| output | what |", "|---|---|"]
    lines += [f"| `{name}` | {_text(body)} |" for name, body in _blocks((folder / "outputs.tf").read_text())]
    return "\n".join(lines) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """A comment alone between two blank lines begins a section; the first has the name of what it is for."""
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
    return f"`{default}`" if default else "none: it must be given"


if __name__ == "__main__":
    PAGE.write_text(reference())
