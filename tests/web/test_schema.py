"""No request that the description of the interface allows, and none that it forbids, breaks the server."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from reparam import VAE, Dataset
from reparam.web.answers import Answers
from reparam.web.server import create_app

schemathesis = pytest.importorskip("schemathesis")


@pytest.mark.parametrize("kind", ["digits", pytest.param("table", marks=pytest.mark.slow)])
def test_no_request_is_an_error_of_the_server(models: Mapping[str, tuple[VAE, Dataset]], kind: str) -> None:
    app = create_app(Answers({"m": models[kind][0]}))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/api/v1/encode", "/api/v1/sample", "/health"}

    @given(data=st.data())
    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def asked(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(operations))
        case = data.draw(operation.as_strategy())
        assert case.call().status_code < 500

    asked()
