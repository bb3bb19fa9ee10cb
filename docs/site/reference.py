"""MkDocs hook: reference pages from the code, and tables of measurements, made at every build (`make docs`)."""

import csv
import inspect
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dataframely as dy
from mkdocs.structure.files import File
from typer.main import get_command

import hazecast as hz
from hazecast.air import tables
from hazecast.api.server import app_of
from hazecast.cli import app
from hazecast.settings import load_settings
from hazecast.wiring import Wiring

DOCS = Path(__file__).parents[1]
MEASURED = re.compile(r"<!-- measured: ([\w.-]+) -->")


def on_config(config: Any) -> Any:
    """Replace the entry `decisions` of the navigation by the files of the folder."""
    pages = [f"decisions/{path.name}" for path in sorted((DOCS / "decisions").glob("*.md"))]
    for section in config.nav:
        for children in section.values():
            for number, child in enumerate(children):
                if child == {"Decisions": "decisions"}:
                    children[number] = {"Decisions": pages}
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    for name, make in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each mark by the table of its file."""
    return MEASURED.sub(lambda found: measured(found[1]), markdown)


def measured(name: str) -> str:
    """A CSV file of docs/measurements as a table; lines that begin with # state when and how it was measured."""
    path = DOCS / "measurements" / name
    if not path.is_file():
        return "*Not measured for this release yet.*"
    lines = path.read_text(encoding="utf-8").splitlines()
    notes = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    return "\n".join([*_table(header, rows), "", " ".join(notes)])


def cli() -> str:
    """Every command with its options."""
    parts = ["# Commands", "", "`hazecast COMMAND --help` prints the same."]
    for name, command in _commands("hazecast", get_command(app)):
        parts += ["", f"## `{name}`", "", _plain(command.help or "")]
        options = [
            (
                " ".join(f"`{option}`" for option in [*one.opts, *one.secondary_opts]),
                "" if getattr(one, "is_bool_flag", False) else f"`{one.metavar or one.display_type}`",
                _default(one),
                _plain(getattr(one, "help", "") or ""),
            )
            for one in command.params
            if "--help" not in one.opts and "completion" not in one.name
        ]
        if options:
            parts += ["", *_table(("option", "value", "default", "meaning"), options)]
    return "\n".join(parts)


def http() -> str:
    """Every endpoint with its parameters, from the OpenAPI document."""
    with tempfile.TemporaryDirectory() as home:
        document = app_of(Wiring(load_settings(home=Path(home)))).openapi()
    parts = [
        "# HTTP API",
        "",
        "From the OpenAPI document `/api/v1/openapi.json`; examples are in [the API](../api.md).",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += ["", f"## `{method.upper()} {path}`", "", operation.get("description", operation["summary"])]
            rows = [
                (f"`{one['name']}`", one["in"], "yes" if one.get("required") else "", one.get("description", ""))
                for one in operation.get("parameters", [])
            ]
            if rows:
                parts += ["", *_table(("parameter", "in", "required", "meaning"), rows)]
    return "\n".join(parts)


def stored_tables() -> str:
    """Every stored table with its columns."""
    parts = ["# Tables", "", "Each is a Delta Lake table under `HAZECAST_HOME/tables/PLACE`. Keys are unique, times are UTC."]
    found = [one for _, one in inspect.getmembers(tables, _is_table) if one.__module__ == tables.__name__]
    for table in found:
        rows = [
            (f"`{name}`", str(column.dtype).partition("(")[0], "yes" if column.primary_key else "", "yes" if column.nullable else "")
            for name, column in table.columns().items()
        ]
        parts += ["", f"## `{table.__name__.lower()}`", "", inspect.cleandoc(table.__doc__ or ""), ""]
        parts += _table(("column", "type", "key", "may be null"), rows)
    return "\n".join(parts)


def library() -> str:
    """Signatures and docstrings of `import hazecast as hz`."""
    parts = ["# Python functions", "", "Examples are in [Forecast from Python](../library.md)."]
    for name in hz.__all__:
        if name in ("__version__",):
            continue
        function = getattr(hz, name)
        signature = re.sub(r"hazecast\.[\w.]+\.", "", str(inspect.signature(function)).replace("'", ""))
        doc = inspect.cleandoc(function.__doc__ or "")
        summary, _, rest = doc.partition("\n\n")
        parts += ["", f"## `hz.{name}`", "", summary, "", "```python", f"hz.{name}{signature}", "```"]
        if rest:
            parts += ["", "```text", rest, "```"]
    return "\n".join(parts)


def _is_table(member: object) -> bool:
    return inspect.isclass(member) and issubclass(member, dy.Schema) and member is not dy.Schema


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for child in command.list_commands(None):
            yield from _commands(f"{name} {child}", command.get_command(None, child))
    else:
        yield name, command


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    return "" if parameter.default in (None, "", False) or parameter.required else f"`{parameter.default}`"


def _plain(text: str) -> str:
    return re.sub(r"\[/?bold\]", "**", inspect.cleandoc(text))


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    cells = [" | ".join(" ".join(str(cell).replace("|", "\\|").split()) for cell in row) for row in (header, *rows)]
    return [f"| {cells[0]} |", f"|{'---|' * (cells[0].count(' | ') + 1)}", *(f"| {line} |" for line in cells[1:])]


PAGES = {"cli": cli, "http": http, "tables": stored_tables, "library": library}
