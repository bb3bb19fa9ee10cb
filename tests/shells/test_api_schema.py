"""Schemathesis sends requests that the OpenAPI document allows, and invalid ones: no 5xx, only documented responses."""

import pytest
import schemathesis
import small_store
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hazecast.api.app import create_app

pytestmark = pytest.mark.system

# There is no model registry in this installation.
WITHOUT_REGISTRY = "/api/v1/predict"
OPERATIONS = 27


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    store = small_store.fill(tmp_path_factory.mktemp("schema"))
    app = create_app(store=store, clock=lambda: small_store.NOW, clock_replayed=False)
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


def test_the_document_is_valid_openapi(schema):
    validate(schema.raw_schema)


def test_every_response_conforms_to_the_document(schema):
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == OPERATIONS
    for operation in operations:
        send_requests(operation)


def send_requests(operation):
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case):
        if operation.path == WITHOUT_REGISTRY:
            assert case.call().status_code in (422, 503)
        else:
            # Times, boxes and cursors have rules that a JSON schema cannot state; status 422 is right for them.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

    send()
