"""Everything the description of the API allows is asked, and much that it does not: no 5xx, no broken promise."""

import json

import pytest
import schemathesis
import small_store
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, settings

from hazecast.api.app import create_app
from hazecast.store import Store

pytestmark = pytest.mark.system

PROMISED = (200, 404, 406, 422)
# There is no model registry in this installation.
WITHOUT_REGISTRY = "/api/v1/predict"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    store: Store = small_store.fill(tmp_path_factory.mktemp("schema"))
    return create_app(store=store, clock=lambda: small_store.NOW, clock_replayed=False)


@pytest.fixture(scope="module")
def described(app):
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_no_question_breaks_a_promise(case):
    answer = case.call_and_validate(excluded_checks=[schemathesis.checks.not_a_server_error])
    if case.operation.path != WITHOUT_REGISTRY:
        assert answer.status_code in PROMISED, answer.text


def test_the_description_is_openapi_and_whole(app):
    from openapi_spec_validator import validate

    described = TestClient(app).get("/api/v1/openapi.json").json()
    validate(json.loads(json.dumps(described)))
    assert len(described["paths"]) >= 21
