"""A forecast for a site of one's own."""

from fastapi import APIRouter

from hazecast.api import schemas
from hazecast.api.predicting import predict_own
from hazecast.api.problems import problem_responses
from hazecast.api.service import PREFIX, Serving

router = APIRouter(prefix=PREFIX, tags=["models"])


@router.post("/predict", responses=problem_responses(422, 503))
def predict(serving: Serving, question: schemas.PredictRequest) -> schemas.Prediction:
    """72 hours for a site of your own from its recent observations, by the champion of this place; stored nowhere.

    The model was trained on other stations: trust it less the more the site differs from them.
    """
    return predict_own(serving.models, question)
