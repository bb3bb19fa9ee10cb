"""Every command, option, setting, endpoint, path and link that documents, UI strings and docstrings name exists."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from hazecast.api.server import app_of
from hazecast.cli import app
from hazecast.settings import Settings, load_settings, variable_of
from hazecast.wiring import Wiring

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = ROOT / "CHANGELOG.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", CHANGELOG, *sorted((ROOT / "docs").rglob("*.md"))]

LANGUAGES = sorted((ROOT / "src" / "hazecast" / "i18n").glob("*.toml"))
EXAMPLES = sorted((ROOT / "docs" / "examples").iterdir())
MODULES = sorted(path for folder in ("src", "flows") for path in (ROOT / folder).rglob("*.py"))

MAKE_TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = get_command(app)
CODE_SUFFIXES = (".py", ".sh", ".tf", ".toml", ".md", ".yaml", ".yml", ".html", ".css", ".sql")
# Files that are not in the repository.
ELSEWHERE = {
    "docker-compose.override.yml": "a developer's copy of docker-compose.override.example.yml",
    "config/oslo.yaml": "the new place of the example in docs/places.md",
    "config/model.yaml": "optional model parameters of an installation",
    "bulletin.html": "the output of the example in docs/alerts.md",
    "model_card.md": "an artifact of each training in MLflow; the code joins its name and suffix",
}


class Text(NamedTuple):
    """One document, language file or module, with its code spans: back-ticked text and the lines of code blocks."""

    path: Path
    text: str
    spans: list[str]


def _read_document(path: Path) -> Text:
    text = path.read_text()
    return Text(path, text, _spans(text))


def _read_example(path: Path) -> Text:
    return Text(path, path.read_text(), [])


def _read_language(path: Path) -> Text:
    text = "\n".join(_strings(tomllib.loads(path.read_text())))
    return Text(path, text, _spans(text))


def _read_module(path: Path) -> Text:
    """Docstrings, messages and help texts; an f-string counts with `{}` for each value."""
    tree = ast.parse(path.read_text())
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    text = "\n".join(
        _joined(node)
        for node in ast.walk(tree)
        if id(node) not in inside
        and (isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)))
    )
    return Text(path, text, _spans(text) + re.findall(r"\[bold\]([^\[\]]+)\[/bold\]", text))


def _joined(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_joined(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, str):
        yield value


def _spans(text: str) -> list[str]:
    """Back-ticked code, and each command line of a code block without its comment."""
    parts = re.findall(r"```[a-z]*\n(.*?)```|(?<!`)`([^`]+)`(?!`)", text, re.DOTALL)
    lines = [line.partition(" #")[0] for block, _ in parts for line in block.replace("\\\n", " ").splitlines()]
    return [" ".join(span.split()) for span in [*lines, *(inline for _, inline in parts)] if span.strip()]


READERS = {
    **dict.fromkeys(DOCUMENTS, _read_document),
    **dict.fromkeys(LANGUAGES, _read_language),
    **dict.fromkeys(EXAMPLES, _read_example),
    **dict.fromkeys(MODULES, _read_module),
}


@pytest.fixture(scope="module")
def texts() -> list[Text]:
    return [read(path) for path, read in READERS.items()]


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The API's paths, each with the names of its query parameters, from the OpenAPI document it serves."""
    served = app_of(Wiring(load_settings(home=tmp_path_factory.mktemp("home"))))
    described = {
        path: {name["name"] for operation in operations.values() for name in operation.get("parameters", [])}
        for path, operations in served.openapi()["paths"].items()
    }
    return described | {str(served.openapi_url): set()}


@pytest.fixture(scope="module")
def constants() -> set[str]:
    """Every string constant of the code that runs: names of variables it reads and of files it writes."""
    modules = [path for folder in ("src", "flows", "infrastructure") for path in _files(ROOT / folder, "*.py")]
    nodes = (node for path in modules for node in ast.walk(ast.parse(path.read_text())))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.fixture(scope="module")
def variables(constants: set[str]) -> set[str]:
    """Settings, and the environment variables that code, compose, Make, images, Terraform and workflows read or set."""
    patterns = {
        "*.yml": r"\$\{([A-Z0-9_]+)|^\s+([A-Z0-9_]+):|(?:vars|secrets)\.([A-Z0-9_]+)",
        "*.sh": r"\$\{?([A-Z0-9_]+)",
        "Makefile": r"\b([A-Z0-9_]+)=|\$\(([A-Z_]+)\)",
        "Dockerfile*": r"(?:ARG|ENV) ([A-Z0-9_]+)|^\s+([A-Z0-9_]+)=",
        "*.tf": r"\b([A-Z0-9_]+)\s+=",
    }
    found = {variable_of(name) for name in Settings.model_fields} | {name for name in constants if name.isupper()}
    for glob, pattern in patterns.items():
        matches = (match for path in _repository_files(glob) for match in re.finditer(pattern, path.read_text(), re.M))
        found |= {name for match in matches for name in match.groups() if name}
    return found


def _repository_files(glob: str) -> Iterator[Path]:
    yield from ROOT.glob(glob)
    for folder in ("src", "flows", "config", "infrastructure", "benchmarks", "tests", ".github"):
        yield from _files(ROOT / folder, glob)


def _files(folder: Path, glob: str) -> Iterator[Path]:
    yield from (path for path in folder.rglob(glob) if ".terraform" not in path.parts)


def test_links_have_targets(texts: list[Text]):
    def broken(source: Text) -> list[str]:
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", source.text)
        return [link for link in links if "://" not in link and not (source.path.parent / link).exists()]

    assert _by_file(broken, (text for text in texts if text.path.suffix == ".md")) == {}


def test_commands_and_options_exist(texts: list[Text]):
    def unknown(source: Text) -> list[str]:
        lines = [
            line
            for span in source.spans
            for line in re.findall(r"(?<!from )(?<!import )(?<![\w.-])hazecast ([a-z][^|;]*)", span)
        ]
        lines += [f"up {words}" for words in re.findall(r'make run ARGS="([^"]*)"', source.text)]
        return [line for line in lines if not _is_command(line.split())]

    assert _by_file(unknown, texts) == {}


def test_options_without_a_command_exist(texts: list[Text], constants: set[str]):
    known = {name for command in _all_commands(COMMANDS) for name in _options(command)} | constants
    known |= set(re.findall(r"^ +(--[a-z-]+)", (ROOT / "deploy.sh").read_text(), re.MULTILINE))

    def unknown(source: Text) -> set[str]:
        return {span.split()[0].partition("=")[0] for span in source.spans if re.match(r"--[a-z]", span)} - known

    assert _by_file(unknown, texts) == {}


def test_make_targets_exist(texts: list[Text]):
    def unknown(source: Text) -> set[str]:
        named = {target for span in source.spans for target in re.findall(r"(?:^|\s)make ([a-z-]+)", span)}
        return named - MAKE_TARGETS

    assert _by_file(unknown, texts) == {}


def test_settings_exist(texts: list[Text], variables: set[str]):
    def unknown(source: Text) -> set[str]:
        return set(re.findall(r"\b(?:HAZECAST|USE_S3|AWS|MLFLOW|PREFECT|DB)(?:_[A-Z0-9]+)+\b", source.text)) - variables

    assert _by_file(unknown, _present(texts)) == {}


def test_endpoints_exist(texts: list[Text], endpoints: dict[str, set[str]]):
    def unknown(source: Text) -> list[str]:
        named = set(re.findall(r"/api/v1/[^\s`'\"),;|<>]*", source.text))
        return [address for address in named if not _is_endpoint(address, endpoints)]

    assert _by_file(unknown, _present(texts)) == {}


def test_paths_exist(texts: list[Text], constants: set[str]):
    """Real data lie outside the project (../shared/data) and may be absent."""
    word = re.compile(r"(?<![\w:/.*{}$<-])[\w.-]+(?:/[\w.*-]+)*/?(?![\w:*{}$<(=-])")

    def unknown(source: Text) -> list[str]:
        named = {path.removeprefix("./") for span in source.spans for path in word.findall(span)} - constants
        inside = [path for path in named if not path.startswith("../shared/")]
        return [path for path in inside if _looks_like_a_path(path) and not _is_path(path, source.path)]

    assert _by_file(unknown, _present(texts)) == {}


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text()
    assert [name for name in set(COMMANDS.list_commands(None)) - {"serve", "version"} if f"`{name}" not in text] == []


def _by_file(unknown: Callable[[Text], Iterable[str]], texts: Iterable[Text]) -> dict[str, list[str]]:
    """The unknown names in each text that has some."""
    found = {str(source.path.relative_to(ROOT)): sorted(unknown(source)) for source in texts}
    return {path: names for path, names in found.items() if names}


def _present(texts: list[Text]) -> list[Text]:
    """All but the changelog, which also names what was removed."""
    return [source for source in texts if source.path != CHANGELOG]


def _is_command(words: list[str]) -> bool:
    """Whether the words begin with a command (or a group and one of its commands) and give only options it has."""
    command = COMMANDS
    for word in words:
        if not hasattr(command, "commands") or not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        if command.get_command(None, word) is None:
            return False
        command = command.get_command(None, word)
    options = {name for one in _all_commands(command) for name in _options(one)}
    named = {option for word in words for option in re.findall(r"^\[?(--[a-z][a-z-]*)", word)}
    return named <= options | {"--help"}


def _all_commands(command: Any) -> Iterator[Any]:
    """A command and, if it is a group, those below it."""
    yield command
    for name in command.list_commands(None) if hasattr(command, "commands") else []:
        yield from _all_commands(command.get_command(None, name))


def _options(command: Any) -> set[str]:
    return {name for param in command.params for name in [*param.opts, *param.secondary_opts]}


def _is_endpoint(address: str, endpoints: dict[str, set[str]]) -> bool:
    """Whether a path is one of the API's (with values for its parameters) and its query parameters exist."""
    path, _, query = address.rstrip(".:…*").partition("?")
    parameters = {name.partition("=")[0] for name in query.split("&") if name}
    shape = re.sub(r"\\{\w*\\}", "[^/]+", re.escape(path))
    return path == "/api/v1/" or any(
        parameters <= names and (re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) or re.fullmatch(shape, known))
        for known, names in endpoints.items()
    )


def _looks_like_a_path(word: str) -> bool:
    """Whether a word names a file of code or text, or begins with a folder of this repository."""
    first = word.split("/")[0]
    in_repository = "/" in word and first and any((base / first).is_dir() for base in (ROOT, ROOT / "src" / "hazecast"))
    return (word.endswith(CODE_SUFFIXES) and not word.startswith(".")) or bool(in_repository)


def _is_path(word: str, source: Path) -> bool:
    """Whether a path exists from the root, the document, the package or Terraform's folder, or a bare name anywhere."""
    bases = (
        ROOT,
        source.parent,
        ROOT / "src" / "hazecast",
        ROOT / "infrastructure",
        ROOT / "infrastructure" / "terraform",
    )
    if word in ELSEWHERE or any(next(base.glob(word.rstrip("/")), None) for base in bases):
        return True
    return "/" not in word and any(_repository_files(word))
