"""The composition root of the web process: settings, database, doorbell, API, pages, and the hot routes in front of all of them."""

import gc
import os
from typing import cast

from api.app import create_app
from api.hot import Hot, Wsgi
from mdm.db import Database
from mdm.doorbell import Doorbell
from mdm.embedded import ensure_postgres, ensure_valkey
from mdm.settings import Settings
from stewardship_ui.site import add_pages


def build_app() -> Wsgi:
    """One web process's application, made anew by granian's `--factory`. Raises SettingsError, ServiceError."""
    settings = Settings.from_env(os.environ)
    app = add_pages(create_app(Database(ensure_postgres(settings)), settings))
    broker_url = ensure_valkey(settings)
    if broker_url is not None:
        Doorbell(broker_url).listen()
    # What stands now stands until the end: no full collection need walk it while somebody waits for an answer.
    gc.freeze()
    return Hot(app, cast("Wsgi", app.wsgi_app))
