"""The description of the server's interface: OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0)."""

from typing import Any

from retinula.serving.content import DEFAULT_TOP
from retinula.serving.limits import Limits
from retinula.serving.refusals import STATUSES
from retinula.version import __version__

_ABOUT_STATUS = {
    400: "The request is not understood.",
    401: "A token is needed.",
    403: "A page of another server asks.",
    404: "There is nothing of that name.",
    408: "The body did not arrive in time.",
    413: "Too many bytes, pixels or pictures.",
    415: "This kind of body is not read.",
    422: "No picture of the request could be read.",
    429: "Too many requests are waiting.",
    500: "The server made a mistake.",
    503: "Overloaded, too slow, or stopping.",
}
_OF_PREDICT = (400, 408, 413, 415, 422, 429, 500, 503)


def describe(limits: Limits, offers: frozenset[str], *, with_token: bool, with_runs: bool) -> dict[str, Any]:
    """Describe the interface.

    Args:
        limits: of this server; they are named where they apply.
        offers: what a prediction may include.
        with_token: whether a token is asked for.
        with_runs: whether trainings are shown.
    """
    asked = (401,) if with_token else ()
    sent = asked or (403,)
    picture = {"type": "string", "format": "binary"}
    include = {
        "type": "array",
        "items": {"enum": sorted(offers)},
        "description": "What to give beside the classes: the small picture that the network saw, where in it the "
        "likeliest class was found, the most similar pictures of its training.",
    }
    top = {"type": "integer", "minimum": 1, "default": DEFAULT_TOP, "description": "How many classes to name."}
    base64 = {"type": "string", "contentEncoding": "base64"}
    body = {
        "image/*": {"schema": picture},
        "application/octet-stream": {"schema": picture},
        "multipart/form-data": {
            "schema": _object({"picture": {"type": "array", "items": picture}, "top": top, "include": include})
        },
        "application/json": {
            "schema": _object(
                {
                    "pictures": {
                        "type": "array",
                        "maxItems": limits.max_pictures,
                        "items": {"oneOf": [base64, _object({"name": {"type": "string"}, "data": base64}, "data")]},
                    },
                    "top": top,
                    "include": include,
                },
                "pictures",
            )
        },
    }
    predict = {
        "summary": "Say what is on pictures.",
        "description": (
            f"At most {limits.max_bytes:,} bytes and {limits.max_pictures} pictures of {limits.max_pixels:,} pixels, "
            f"{limits.max_request_pixels:,} together: JPEG, PNG, WebP, GIF, BMP, TIFF or PPM. A picture that cannot be "
            "read has an error in place of its answer; where none can be read, the request is refused."
        ),
        "parameters": [
            {"name": "top", "in": "query", "schema": top},
            {"name": "include", "in": "query", "schema": include, "style": "form", "explode": False},
        ],
        "requestBody": {"required": True, "content": body},
        "responses": {"200": _answer("The answers, in the order of the pictures.", "Predictions")}
        | _refusals(*_OF_PREDICT, *sent),
    }
    text = {"type": "string"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Retinula", "version": __version__, "description": "Recognition of small images."},
        "paths": {
            "/v1/predict": {"post": predict},
            "/v1/model": {"get": _get("The model that answers, and the limits.", asked)},
            "/healthz": {"get": _get("Whether the server is ready.") | {"security": []}},
            "/metrics": {"get": _get("What the server counts, for Prometheus.", asked, text, "text/plain")},
            "/openapi.json": {"get": _get("This description.", asked)},
        }
        | (_trainings(asked) if with_runs else {}),
        "components": {"schemas": _schemas()} | ({"securitySchemes": _BEARER} if with_token else {}),
    } | ({"security": [{"token": []}]} if with_token else {})


_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
_BEARER = {"token": {"type": "http", "scheme": "bearer"}}


def _schemas() -> dict[str, Any]:
    text, number, whole = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}, {"type": "integer"}
    answer = _object({"label": text, "probability": number}, "label", "probability")
    image = {"type": "string", "description": "A PNG as data: address."}
    properties = {
        "name": text,
        "width": whole,
        "height": whole,
        "label": text,
        "probability": number,
        "top": {"type": "array", "items": answer},
        "unfamiliar": {"type": "boolean", "description": "Whether it is unlike anything in the model's training."},
        "seen": image,
        "heatmap": {**image, "description": image["description"] + " White is where the class was found."},
        "similar": {"type": "array", "items": _object({"image": image, "label": text, "likeness": {"type": "number"}})},
        "error": {"$ref": "#/components/schemas/Error/properties/error"},
    }
    prediction = _object(properties, "name")
    error = _object({"code": {"enum": sorted(STATUSES)}, "message": text}, "code", "message")
    return {
        "Predictions": _object(
            {"model": text, "predictions": {"type": "array", "items": prediction}}, "model", "predictions"
        ),
        "Error": _object({"error": error}, "error"),
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _answer(about: str, schema: str) -> dict[str, Any]:
    return {
        "description": about,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _answer(_ABOUT_STATUS[status], "Error") for status in sorted(statuses)}


def _get(
    about: str, statuses: tuple[int, ...] = (), schema: dict[str, Any] | None = None, kind: str = "application/json"
) -> dict[str, Any]:
    responses = {
        "200": {"description": about, "content": {kind: {"schema": schema or {"type": "object"}}}},
        **_refusals(*statuses),
        "default": _answer("Any other refusal.", "Error"),
    }
    return {"summary": about, "responses": responses}


def _trainings(asked: tuple[int, ...]) -> dict[str, Any]:
    of_one = {"parameters": [_NAME]}
    found = (*asked, 404)
    page = {"type": "string"}
    return {
        "/v1/runs": {"get": _get("The trainings there are, the newest first.", asked)},
        "/v1/runs/{name}": {"get": _get("Curves, results and settings of a training.", found) | of_one},
        "/v1/runs/{name}/report": {"get": _get("A training's report.", found, page, "text/html") | of_one},
    }
