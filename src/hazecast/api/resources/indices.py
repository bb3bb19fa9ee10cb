"""Air-quality indices of countries, and limits and guidelines."""

from fastapi import APIRouter

from hazecast.air.indices import INDICES, Index, Reading, find_index
from hazecast.air.indices.result import COLOUR_BLIND_SAFE
from hazecast.air.rules import RULES
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, Context
from hazecast.api.errors import InvalidRequest, problem_responses
from hazecast.errors import ContractError

router = APIRouter(prefix=PREFIX, tags=["air"])


@router.get("/indices")
def indices(context: Context) -> schemas.Indices:
    """Every country's index in force: bands, colours, pollutants, averages and units."""
    return schemas.Indices(
        indices=[_describe(index, is_default=name == context.index) for name, index in INDICES.items()]
    )


@router.get("/limits")
def limits() -> schemas.Rules:
    """Legal values and guidelines as their authorities write them: WHO, EU (in force and 2030), US."""
    rules = [
        schemas.Rule.model_validate(
            {**{name: getattr(rule, name) for name in schemas.Rule.model_fields}, "authority": rule.authority.value}
        )
        for rule in RULES
    ]
    return schemas.Rules(rules=rules)


@router.post("/aqi", responses=problem_responses(404, 422))
def aqi(request: schemas.AqiRequest) -> schemas.Aqi:
    """The index of concentrations, with the pollutant that determines it, the colour and advice."""
    index = find_index(request.index, request.version)
    try:
        readings = [
            Reading(one.pollutant, one.averaging or index.usual_averaging(one.pollutant), one.concentration, one.unit)
            for one in request.readings
        ]
        return schemas.Aqi.model_validate(index.evaluate(readings).as_dict())
    except ContractError as err:
        raise InvalidRequest(str(err)) from err


def _describe(index: Index, *, is_default: bool) -> schemas.IndexDescription:
    bands = [
        schemas.IndexBand(
            name=band.name,
            upto=band.upto,
            level=band.level,
            colour=band.colour,
            colour_blind_safe=COLOUR_BLIND_SAFE[band.level - 1],
        )
        for band in index.bands
    ]
    parts = [
        schemas.IndexPart(pollutant=pollutant, averaging=averaging, unit=scale.unit)
        for pollutant, scales in index.scales.items()
        for averaging, scale in scales.items()
    ]
    return schemas.IndexDescription(
        index=index.name,
        title=index.title,
        version=index.version,
        authority=index.authority,
        has_value=index.has_value,
        is_default=is_default,
        bands=bands,
        parts=parts,
        notes=list(index.notes),
    )
