"""The public interface `/api/v1` as routes, described by OpenAPI, with a page of documentation."""

import html
import json
import time
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from .answers import QUICK
from .dispatcher import Dispatcher, failure_of
from .interface import Interface
from .requests import FIELDS, RAW
from .wire import to_json

ABOUT = {
    "encode": "Posterior means and standard deviations of rows x, and class probabilities where there are.",
    "decode": "Decoded means of codes z.",
    "sample": "n rows drawn from the model, or with `mean` their decoded means.",
    "score": "log p(x) of rows x in nats, and with `cells` that of each cell.",
    "reconstruct": "Decoded means of the posterior means of rows x.",
    "impute": "Rows x with missing cells (null) filled; `draws` gives that many imputations.",
}
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "x": {"type": "array", "minItems": 1, "description": "rows: lists of numbers, or records of a table"},
    "z": {"type": "array", "minItems": 1, "items": {"type": "array", "items": {"type": "number"}}},
    "y": {"description": "a class of the model or a record of its covariates, or one for each row"},
    "n": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "draws": {"type": "integer", "minimum": 0, "maximum": 64},
    "mean": {"type": "boolean"},
    "cells": {"type": "boolean"},
}
ERROR = {"content": {"application/json": {"schema": {"type": "object", "required": ["error"]}}}}
FAULTS = {
    400: "the Host is not served",
    401: "a token is needed",
    408: "the body is slow",
    413: "the body is too large",
    422: "the request is wrong, and why",
    503: "too many requests wait",
    504: "no answer in time",
}


def add_public(app: FastAPI, dispatcher: Dispatcher) -> None:
    """The routes of the first model of the answers."""
    asked = dispatcher.answers.models[0]
    interface = Interface(asked)
    faults: dict[int | str, dict[str, Any]] = {
        status: {"description": words, **ERROR} for status, words in FAULTS.items()
    }

    @app.get("/api/v1/model", responses={401: faults[401]})
    async def model() -> Response:
        """The parts of the model, its columns, classes, latents and history."""
        _, info = await dispatcher.quick.ask(
            lambda each: [dispatcher.answers.ask("model", {}, {"citation": True}) for _ in each], None, 1
        )
        return Response(to_json(info), media_type="application/json")

    for verb in FIELDS:
        if verb in asked.verbs:
            app.add_api_route(
                f"/api/v1/{verb}",
                endpoint(verb, interface, dispatcher),
                methods=["POST"],
                name=verb,
                description=ABOUT[verb],
                responses=faults,
                openapi_extra={"requestBody": body_schema(verb)},
            )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page_of(app.openapi()))


def endpoint(verb: str, interface: Interface, dispatcher: Dispatcher) -> Any:
    """The route of one verb."""
    worker = dispatcher.quick if verb in (*QUICK, "reconstruct") else dispatcher.slow
    run = interface.runner(verb)

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        raw = request.headers.get("content-type", "").partition(";")[0].strip() == RAW
        shape = request.headers.get("x-shape", "") if raw else None
        try:
            call = interface.read(verb, await request.body(), shape, dict(request.query_params))
            found = await worker.ask(run, call, call.n, interface.key(verb, call))
        except Exception as error:
            status, words, headers = failure_of(error)
            return JSONResponse({"error": words}, status, headers)
        dispatcher.metrics.took(verb, time.perf_counter() - started, call.n)
        if raw:
            floats, shape = interface.to_floats(verb, found)
            return Response(floats, media_type=RAW, headers={"x-shape": shape})
        return Response(to_json(interface.to_json(found)), media_type="application/json")

    return answer


def body_schema(verb: str) -> dict[str, Any]:
    """The body of a verb in OpenAPI."""
    names = FIELDS[verb]
    schema = {
        "type": "object",
        "properties": {name: dict(SCHEMAS[name]) for name in names},
        "required": [names[0]] if names[0] in "xz" else [],
        "additionalProperties": False,
    }
    floats = {"type": "string", "format": "binary", "description": "float32, with the header X-Shape: n,..."}
    return {
        "required": names[0] in "xz",
        "content": {"application/json": {"schema": schema}, RAW: {"schema": floats}},
    }


STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .5rem; font-size: .85rem }
h2 { margin-top: 2.5rem } code { font-size: .9em }
"""


def page_of(schema: Mapping[str, Any]) -> str:
    """The interface as one page of HTML, which loads nothing."""
    parts = []
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            words = html.escape(said.get("description") or said.get("summary", ""))
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{words}</p>")
            for kind, each in said.get("requestBody", {}).get("content", {}).items():
                shown = html.escape(json.dumps(each["schema"], indent=1))
                parts.append(f"<p><code>{html.escape(kind)}</code></p><pre>{shown}</pre>")
            answers = ", ".join(
                f"{status}: {each['description']}" for status, each in said["responses"].items()
            )
            parts.append(f"<p>{html.escape(answers)}</p>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>reparam over HTTP</title><style>{STYLE}</style></head><body>'
        '<h1>reparam over HTTP</h1><p>The whole description: <a href="/api/v1/openapi.json">openapi.json</a>.'
        " With a token: <code>Authorization: Bearer TOKEN</code>.</p>"
        f"{''.join(parts)}</body></html>"
    )
