"""Each failure of each provider: what was stored and what the user saw, as in docs/faults.md.

`python tests/edges/test_faults.py` rewrites the document.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

import pytest
from servers.faults import Provider, outcome, providers

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGINNING = """# What happens when a provider fails

Every line was provoked: a server that behaves as the provider is documented to (`tests/edges/servers`) was broken in
this way, then two days were collected and checked (five days from the archive). Written by
`python tests/edges/test_faults.py`; the test in it fails when a line is no longer true. `exit` is the exit code of
`hazecast collect`, the rest its message without the queries of addresses. Requests are tried three times here, five by
default, and pauses of up to two minutes are waited for. What was stored before stays in every case.
"""
HEAD = "| failure | requests | waited | stored | message |\n|---|---|---|---|---|"


def section(provider: Provider, folder: Path) -> str:
    lines = [f"## {provider.title}", "", HEAD]
    for number, failure in enumerate(provider.failures):
        found = outcome(provider, failure, folder / str(number))
        seen = found.seen.replace("|", "\\|")
        lines.append(f"| {failure} | {found.requests} | {found.waited_seconds} s | {found.stored} | {seen} |")
    return "\n".join(lines)


@pytest.mark.parametrize("provider", providers(), ids=lambda provider: provider.title)
def test_the_document_matches_the_behaviour(provider: Provider, tmp_path: Path):
    assert section(provider, tmp_path) in DOCUMENT.read_text()


def test_the_document_has_no_other_section():
    headings = [line[3:] for line in DOCUMENT.read_text().splitlines() if line.startswith("## ")]
    assert headings == [provider.title for provider in providers()]
    assert DOCUMENT.read_text().startswith(BEGINNING)


def write_document() -> None:
    with TemporaryDirectory() as folder:
        sections = [section(provider, Path(folder) / str(n)) for n, provider in enumerate(providers())]
    DOCUMENT.write_text("\n".join([BEGINNING, "\n\n".join(sections), ""]))


if __name__ == "__main__":
    write_document()
