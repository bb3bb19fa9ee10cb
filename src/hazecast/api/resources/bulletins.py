"""The bulletin of the place: HTML, plain text and CAP 1.2, in each language."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from hazecast.api.dependencies import PREFIX, Context
from hazecast.api.errors import NoData, problem_responses
from hazecast.api.repository import depends_on
from hazecast.bulletin import BulletinFormat
from hazecast.errors import TooLittleHistory
from hazecast.i18n import LANGUAGES, read_language

router = APIRouter(prefix=PREFIX, tags=["forecasts"])


class BulletinLanguage(StrEnum):
    """Languages of a bulletin."""

    EN = "en"
    FI = "fi"
    SV = "sv"


_MEDIA_TYPES = {
    BulletinFormat.HTML: "text/html; charset=utf-8",
    BulletinFormat.TEXT: "text/plain; charset=utf-8",
    BulletinFormat.CAP: "application/cap+xml; charset=utf-8",
}
_CONTENT = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in _MEDIA_TYPES.values()}


@router.get(
    "/bulletin",
    response_class=Response,
    responses={200: {"description": "The bulletin", "content": _CONTENT}, **problem_responses(404, 422, 503)},
)
def bulletin(
    context: Context,
    form: Annotated[BulletinFormat, Query(alias="format", description="cap is version 1.2")] = BulletinFormat.HTML,
    lang: Annotated[BulletinLanguage, Query(description="Language of the text")] = BulletinLanguage.EN,
    day: Annotated[date | None, Query(description="Local day; default: tomorrow", examples=["2026-03-01"])] = None,
) -> Response:
    """The next day at the place: warnings, probabilities by station, drivers, and yesterday's forecast and result."""
    from hazecast.bulletin.content import make_bulletin
    from hazecast.bulletin.render import render

    now = context.clock()
    depends_on(now.replace(second=0, microsecond=0))
    try:
        made = make_bulletin(
            context.tables,
            context.alert_rules,
            place=context.title,
            now=now,
            day=day,
            is_replayed=context.clock_replayed,
            stale_after_hours=context.stale_after_hours,
        )
    except TooLittleHistory as err:
        raise NoData(str(err)) from err
    text = render(made, form, read_language(lang), sender=context.place)
    return Response(text, media_type=_MEDIA_TYPES[form])


assert {one.value for one in BulletinLanguage} == set(LANGUAGES)
