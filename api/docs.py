"""The pages at /docs: the OpenAPI document as plain HTML, without a script and without anything from elsewhere.

In production for whoever has a key.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template

from api.auth import check_insider
from mdm.jsonio import dumps

_METHODS = ("get", "put", "post", "delete")
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def blueprint(api: Any) -> Blueprint:
    """Serve `api`'s document as JSON and as a page."""
    made = Blueprint("docs", __name__, template_folder="templates")
    made.before_request(check_insider)
    made.add_url_rule("/openapi.json", "openapi", lambda: Response(dumps(api.spec.to_dict()), content_type="application/json"))
    made.add_url_rule("/docs", "page", lambda: _page(api.spec.to_dict()))
    style = (Path(__file__).parent / "static" / "docs.css").read_bytes()
    made.add_url_rule("/docs/docs.css", "style", lambda: Response(style, content_type="text/css; charset=utf-8"))
    return made


def _page(spec: Mapping[str, Any]) -> Response:
    page = Response(render_template("api_docs.html", spec=spec, groups=_groups(spec), schemas=_schemas(spec)))
    page.headers["Content-Security-Policy"] = _POLICY
    return page


def _groups(spec: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    """Operations by tag, in the document's order: (method, path, operation)."""
    groups: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {tag["name"]: [] for tag in spec.get("tags", ())}
    for path, item in spec["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = {**item[method], "parameters": [*item.get("parameters", ()), *item[method].get("parameters", ())]}
                groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return groups


def _schemas(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = spec.get("components", {}).get("schemas", {})
    return found
