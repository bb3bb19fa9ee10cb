"""The providers. A new one is a folder in `sources` that exposes `PROVIDER`, and one name here."""

from importlib import import_module

from hazecast.sources.provider import Provider

# In the order in which `discover` queries them.
_FOLDERS = ("fmi", "openaq", "open_meteo", "silam")

PROVIDERS: dict[str, Provider] = {name: import_module(f"hazecast.sources.{name}").PROVIDER for name in _FOLDERS}
BACKGROUNDS = {name: offer for provider in PROVIDERS.values() for name, offer in provider.backgrounds.items()}
