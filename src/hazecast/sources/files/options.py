"""`dataset.yaml`: what the files of a dataset folder do not state themselves."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import WEATHER_VARIABLES
from hazecast.errors import SourceRefused
from hazecast.sources.files.columns import understand

FILE = "dataset.yaml"
TABLES = ("stations", "observations", "weather")
STATIONS = ("station_id", "name", "latitude", "longitude", "timezone", "attribution", "licence")
OBSERVATIONS = ("station_id", "observed_at", *POLLUTANTS, "unit")
WEATHER = ("station_id", "valid_at", "issued_at", "available_at", *WEATHER_VARIABLES)
VALUES = (*POLLUTANTS, *WEATHER_VARIABLES)
FIELDS = tuple(dict.fromkeys((*STATIONS, *OBSERVATIONS, *WEATHER)))


class DatasetOptions(BaseModel):
    """The keys of `dataset.yaml`, all optional.

    Args:
        columns: our name by header, such as {"PM fine": pm25}.
        units: unit by our name, such as {co: mg/m3, o3: ppb, temperature_c: K}.
        missing: words that stand for a missing value, such as [ND, "<LOD"].
        invalid: values that mark an hour as invalid, by quality column, such as {qc: [3, 4]}.
        ignore_columns: columns that are not read; true: every column that is not understood.
        aggregate: whether values within an hour are averaged to the hour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    missing: list[str | int | float] = []
    invalid: dict[str, list[str | int | float]] = {}
    ignore_columns: bool | list[str] = False
    aggregate: bool = False

    @field_validator("units", "columns")
    @classmethod
    def _of_known_fields(cls, named: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        """Our names may be written as headers are: "PM2.5" is pm25."""
        if info.field_name == "columns":
            return {header: _field(name, FIELDS) for header, name in named.items()}
        return {_field(name, VALUES): unit for name, unit in named.items()}

    def ignores(self, header: str) -> bool:
        """Whether a column that is not understood is left out without complaint."""
        return self.ignore_columns is True or (self.ignore_columns is not False and header in self.ignore_columns)


def _field(name: str, known: tuple[str, ...]) -> str:
    field = understand(name, known).field
    if field not in known:
        raise ValueError(f"{name!r} is none of {', '.join(known)}")
    return field


def read_options(folder: Path, *, ignore_columns: bool, aggregate: bool) -> DatasetOptions:
    """The options of `folder`; the arguments switch on what its `dataset.yaml` does not.

    Raises:
        SourceRefused: the file is not YAML, or has an unknown key; the message names it.
    """
    path = folder / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        options = DatasetOptions.model_validate(content or {})
    except ValidationError as err:
        problems = "; ".join(
            f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg'].removeprefix('Value error, ')}" for p in err.errors()
        )
        known = ", ".join(DatasetOptions.model_fields)
        raise SourceRefused(f"{FILE}: {problems}; its keys are {known} (docs/data.md)") from err
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise SourceRefused(f"{FILE}: not readable YAML ({' '.join(str(err).split())}); correct it") from err
    return options.model_copy(
        update={
            "ignore_columns": True if ignore_columns else options.ignore_columns,
            "aggregate": aggregate or options.aggregate,
        }
    )
