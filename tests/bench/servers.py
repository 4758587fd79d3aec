"""The two applications of the lookup benchmark: ours, and R1, what a careful developer writes without a product (performance.md section 2).

R1 is a minimal Flask route: the same SQL through a psycopg pool with prepared statements, orjson, no authentication, no log, no metrics.
"""

import gc
import os
from typing import Any

import orjson
from flask import Flask, Response, request
from psycopg import RawCursor
from psycopg_pool import ConnectionPool

from api.app import create_app
from api.hot import Hot
from mdm.cli import COLLECT
from mdm.db import Database
from mdm.question import BY_VALUE
from mdm.settings import Settings
from mdm.stepping_back import WEB
from tests.bench.world import THREADS


def ours() -> Any:
    settings = Settings.from_env({name: os.environ[name] for name in ("MDM_HOME", "MDM_PROFILE")})
    app = create_app(Database(os.environ["BENCH_URL"], name=WEB), settings)
    gc.set_threshold(*COLLECT)  # as mdm.cli does
    gc.freeze()  # as stewardship_ui.wsgi does
    return Hot(app, app.wsgi_app)


def minimal() -> Any:
    app = Flask("minimal")
    pool = ConnectionPool(
        os.environ["BENCH_URL"],
        min_size=THREADS,
        max_size=THREADS,
        kwargs={"autocommit": True, "prepare_threshold": 0, "cursor_factory": RawCursor},
        open=True,
    )
    with pool.connection() as connection:
        ids = dict(connection.execute("select code, id from identifier_system").fetchall())
        codes = {number: code for code, number in ids.items()}

    @app.get("/v1/crosswalk/<domain>/<system>/<value>")
    def lookup(domain: str, system: str, value: str) -> Response:
        to = request.args["to"]
        with pool.connection() as connection:
            rows = connection.execute(BY_VALUE, (domain, ids[system], [ids[to]], [value])).fetchall()
        if not rows:
            return Response(orjson.dumps({"outcome": "unknown_value"}), status=404, content_type="application/json")
        targets = [{"system": codes[r[3]], "value": r[4], "valid_from": r[6], "valid_to": r[7]} for r in rows if r[3] is not None]
        return Response(orjson.dumps({"outcome": "found", "golden_id": rows[0][1], "targets": targets}), content_type="application/json")

    return app
