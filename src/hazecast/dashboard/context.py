"""The selections at the top of every page, kept in the address, and the API responses that all pages share."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import streamlit as st

from hazecast.air.pollutants import Pollutant
from hazecast.api import schemas
from hazecast.client import ApiProblem, Client
from hazecast.i18n import LANGUAGES, Language, match_locale, read_language

Response = TypeVar("Response")


@dataclass(frozen=True)
class PageContext:
    """What one browser session has selected, with the responses for it.

    Attributes:
        api: client of the API.
        language: of all texts.
        status: of the installation.
        stations: all stations.
        station: the selected one.
        pollutant: the selected one; None where nothing is measured or forecast.
        index: the selected air-quality index; None if the API has none.
        forecast: the newest one of station and pollutant; None if there is none.
        no_forecast_reason: why `forecast` is None, else empty.
    """

    api: Client
    language: Language
    status: schemas.State
    stations: list[schemas.Station]
    station: schemas.Station
    pollutant: str | None
    index: schemas.IndexDescription | None
    forecast: schemas.Forecast | None
    no_forecast_reason: str

    def t(self, key: str, **values: object) -> str:
        """The message `key` in the selected language."""
        return self.language.t(key, **values)

    @property
    def now(self) -> datetime:
        """Current time of the installation's clock, UTC."""
        return self.status.now

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.station.timezone)

    @property
    def simulated(self) -> bool:
        """Whether observations or forecast of the station are simulated."""
        return self.station.simulated or (self.forecast is not None and self.forecast.simulated)

    @property
    def dark(self) -> bool:
        """Whether the page has the dark theme."""
        return bool(st.context.theme.type == "dark")


def optional(request: Callable[[], Response]) -> Response | None:
    """The response of `request`, or None if the API answers 404.

    Raises:
        ApiProblem: the API answers with another error.
        ApiUnreachable: the API does not answer.
    """
    try:
        return request()
    except ApiProblem as error:
        if error.is_not_found:
            return None
        raise


def pollutant_label(pollutant: str) -> str:
    """The display name of a pollutant ("PM2.5")."""
    return Pollutant(pollutant).label


def station_labels(stations: list[schemas.Station]) -> dict[str, str]:
    """The name of every station by station_id, followed by the id where several stations have the same name."""
    counts = Counter(station.name for station in stations)
    return {
        station.station_id: station.name + (f" ({station.station_id})" if counts[station.name] > 1 else "")
        for station in stations
    }


def current_language() -> Language:
    """The language selected or in the address (`?lang=fi`), else the browser's; usable before the list is drawn."""
    return read_language(selected_value("lang", _language_options()))


def select_language() -> None:
    """Draw the list of languages."""
    select_from_list("Language · Kieli · Språk", _language_options(), name="lang", width=150)


def select_context(
    api: Client, language: Language, *, status: schemas.State, stations: list[schemas.Station]
) -> PageContext:
    """Draw the selections at the top of the page and request the forecast they lead to."""
    station = _select_station(language, stations)
    pollutant = _select_pollutant(language, station)
    index = _select_index(language, optional(api.indices) or [])
    forecast, reason = _newest_forecast(api, station, pollutant, index) if pollutant else (None, "")
    return PageContext(api, language, status, stations, station, pollutant, index, forecast, reason)


def selected_value(name: str, options: Mapping[str, str], *, default: str = "") -> str:
    """The current selection, else the one in the address, else `default`, else the first of `options`."""
    values = (st.session_state.get(name), st.query_params.get(name), default)
    return next((value for value in values if value in options), next(iter(options)))


def select_from_list(label: str, options: Mapping[str, str], *, name: str, width: int) -> str:
    """A drop-down list of `options` (labels by value), kept in the address as `?name=value`."""
    index = list(options).index(_initial_value(name, options))
    value: str = st.selectbox(
        label, list(options), index=index, format_func=lambda value: options[value], key=name, width=width
    )
    return _keep_in_address(name, value)


def select_from_buttons(label: str, options: Mapping[str, str], *, name: str, default: str = "") -> str:
    """A row of buttons for `options` (labels by value), kept in the address as `?name=value`."""
    default = _initial_value(name, options, default=default)
    value: str = st.segmented_control(
        label, list(options), default=default, required=True, format_func=lambda value: options[value], key=name
    )
    return _keep_in_address(name, value)


def _initial_value(name: str, options: Mapping[str, str], *, default: str = "") -> str:
    # An earlier selection may no longer be an option, such as a pollutant of another station.
    if st.session_state.get(name) not in options:
        st.session_state.pop(name, None)
    return selected_value(name, options, default=default)


def _keep_in_address(name: str, value: str) -> str:
    st.query_params[name] = value
    return value


def _language_options() -> dict[str, str]:
    preferred = match_locale(st.context.locale)
    return {preferred: LANGUAGES[preferred], **LANGUAGES}


def _select_station(language: Language, stations: list[schemas.Station]) -> schemas.Station:
    """By default the first station with data."""
    labels = station_labels(stations)
    by_id = {station.station_id: station for station in sorted(stations, key=lambda station: not station.pollutants)}
    options = {station_id: labels[station_id] for station_id in by_id}
    return by_id[select_from_list(language.t("select.station"), options, name="station", width=300)]


def _select_pollutant(language: Language, station: schemas.Station) -> str | None:
    options = {str(pollutant): pollutant_label(pollutant) for pollutant in station.pollutants}
    return select_from_buttons(language.t("select.pollutant"), options, name="pollutant") if options else None


def _select_index(language: Language, indices: list[schemas.IndexDescription]) -> schemas.IndexDescription | None:
    """By default the index of the place."""
    by_name = {index.index: index for index in sorted(indices, key=lambda index: not index.is_default)}
    options = {name: index.title for name, index in by_name.items()}
    return by_name[select_from_list(language.t("select.index"), options, name="index", width=260)] if options else None


def _newest_forecast(
    api: Client, station: schemas.Station, pollutant: str, index: schemas.IndexDescription | None
) -> tuple[schemas.Forecast | None, str]:
    """The forecast, or None and the reason of the API."""
    try:
        return api.forecast(station.station_id, pollutant, index=index.index if index else None), ""
    except ApiProblem as error:
        if not error.is_not_found:
            raise
        return None, error.problem.detail
