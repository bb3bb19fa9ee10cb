"""SILAM's failures; who observes is well."""

import polars as pl

from hazecast.sources.http import HttpClient
from hazecast.sources.silam import SilamForecast
from hazecast.steps.background import archive_background
from hazecast.store import Store
from servers.base import ContractServer, Instead, Reply
from servers.faults import Break, Provider, collected, common
from servers.faults_open_meteo import NOW, Town
from servers.silam import SilamServer, exception, with_nan


class Helsinki(Town):
    """The town, moved to where SILAM is."""

    def fetch_stations(self) -> pl.DataFrame:
        return super().fetch_stations().with_columns(latitude=pl.lit(60.19), longitude=pl.lit(24.95))


def fetch(server: ContractServer, client: HttpClient, store: Store) -> tuple[str, ...]:
    complaints = collected(Helsinki(), store, now=NOW)
    return (*complaints, archive_background([SilamForecast(client, url=f"{server.url}/wfs")], store, now=NOW))


def instead(reply: Reply) -> Break:
    return lambda server: server.breaks(Instead(reply))


PROVIDER = Provider(
    title="FMI: SILAM as background (WFS)",
    now=NOW,
    server=lambda now: SilamServer(now=now),
    address="https://opendata.fmi.fi",
    fetch=fetch,
    failures={
        **common(),
        "HTTP 400 with an exception document": instead(exception("Unknown parameter")),
        "HTTP 200 with an exception document": instead(exception("Unknown parameter", status=200)),
        "HTTP 200 with a web page": instead(Reply.of_text("<html>Maintenance</html>", kind="text/html")),
        "empty collection": instead(
            Reply.of_text('<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0"/>', kind="text/xml")
        ),
        "NaN for an hour": lambda server: server.breaks(with_nan()),
    },
)
