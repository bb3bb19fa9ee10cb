"""Open-Meteo's failures where it gives CAMS; who observes is well."""

from hazecast.sources.http import HttpClient
from hazecast.sources.open_meteo import CamsForecast, OpenMeteo
from hazecast.steps.background import archive_background
from hazecast.store import Store
from servers.base import ContractServer
from servers.faults import Provider, collected, common
from servers.faults_open_meteo import NOW, SPECIFIC, Town, altered, first_is_null, hourly
from servers.open_meteo import OpenMeteoServer


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    complaints = collected(Town(), store, now=NOW)
    cams = CamsForecast(OpenMeteo(client, url=server.url), "cams_global")
    return (*complaints, archive_background([cams], store, now=NOW))


PROVIDER = Provider(
    title="Open-Meteo: CAMS as background",
    now=NOW,
    server=OpenMeteoServer,
    address="https://air-quality-api.open-meteo.com",
    fetch=fetch,
    failures={
        **common(hourly),
        **SPECIFIC,
        "another unit": altered('"ozone": "μg/m³"'.encode(), b'"ozone": "ppb"'),
        "a null": first_is_null("pm10"),
    },
)
