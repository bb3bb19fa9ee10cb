"""`hazecast places` and `hazecast discover`: which places there are, and a new one from what is offered somewhere."""

from pathlib import Path

import yaml
from rich.markup import escape

from hazecast.cli.base import console, new_table
from hazecast.discover import discover
from hazecast.errors import UsageError
from hazecast.places import Place, write_place
from hazecast.providers import Providers, known_places
from hazecast.settings import Settings
from hazecast.sources.area import Circle
from hazecast.sources.registry import PROVIDERS

UNNAMED = "here"
CREDITS = (
    "Weather data by Open-Meteo.com; contains modified Copernicus Atmosphere Monitoring Service information; SILAM by "
    "FMI; all CC BY 4.0. Observations are credited station by station."
)


def places_content(settings: Settings) -> list[dict[str, object]]:
    """One entry per place, as `show_places` shows them."""
    return [
        {
            "place": place.place,
            "title": place.title,
            "observations": place.observations.source,
            "background": place.background,
            "index": place.index,
            "key_setting": place.key_setting or None,
            "key_is_set": not place.key_setting or bool(getattr(settings, place.key_setting).get_secret_value()),
        }
        for place in known_places(settings)
    ]


def show_places(settings: Settings) -> None:
    """One row per place: where its data come from and what they need."""
    columns = ("place", "title", "observations", "background", "index", "needs")
    table = new_table(*columns, whole=("place", "background", "index"))
    for place in known_places(settings):
        background = "\n".join(place.background) or "–"
        observed = PROVIDERS[place.observations.source].title
        table.add_row(place.place, escape(place.title), observed, background, place.index, _needs(place, settings))
    console.print(table)
    console.print("OpenAQ key: free at explore.openaq.org, put it into HAZECAST_OPENAQ_API_KEY")
    console.print("choose one with --place NAME or HAZECAST_PLACE; without, simulated data are used, offline")
    console.print(f"files of your own in {settings.config} come first; docs/places.md documents their keys")
    console.print(f"[dim]{CREDITS}[/dim]")


def discover_place(providers: Providers, area: Circle, out: Path | None) -> None:
    """Show what `area` offers as a place file, or write it to `out`.

    Raises:
        SettingsError: `out` is there already or is not named like a place.
        SourceError: Open-Meteo does not answer.
    """
    if out is not None and out.suffix != ".yaml":
        raise UsageError(f"--out {out}: place files end in .yaml")
    found = discover(providers, area, name=out.stem if out else UNNAMED)
    for line in found.messages:
        console.print(escape(line), soft_wrap=True)
    if out is None:
        content = found.place.model_dump(mode="json", exclude_none=True)
        console.print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), markup=False, highlight=False)
        return
    write_place(found.place, out)
    console.print(f"wrote {out}; collect with: hazecast collect --place {found.place.place}", soft_wrap=True)


def _needs(place: Place, settings: Settings) -> str:
    if not place.key_setting:
        return "nothing"
    is_set = bool(getattr(settings, place.key_setting).get_secret_value())
    title = PROVIDERS[place.observations.source].title
    return f"{title} key [green](set)[/green]" if is_set else f"{title} key [red](not set)[/red]"
