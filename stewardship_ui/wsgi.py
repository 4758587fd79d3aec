"""The composition root of the web process: settings, database, doorbell, API, pages, and the hot routes in front of all of them."""

import gc
import os
from collections.abc import Callable
from functools import partial
from typing import cast

from api.app import create_app
from api.hot import Hot, Wsgi
from mdm.db import Database
from mdm.doorbell import Doorbell
from mdm.embedded import ensure_postgres, ensure_valkey
from mdm.settings import Settings
from mdm.stepping_back import WEB
from stewardship_ui.site import add_pages


def prepare() -> Callable[[], Wsgi]:
    """The application of all web processes, made before they are forked; what comes back begins one. Raises SettingsError, ServiceError.

    Nothing here connects or starts a thread: that waits for the first request of each process, or for its beginning.
    """
    settings = Settings.from_env(os.environ)
    app = add_pages(create_app(Database(ensure_postgres(settings), name=WEB), settings))
    served = Hot(app, cast("Wsgi", app.wsgi_app))
    # What stands now stands until the end: no full collection need walk it while somebody waits for an answer.
    gc.freeze()
    return partial(_begin, settings, served)


def _begin(settings: Settings, served: Wsgi) -> Wsgi:
    broker_url = ensure_valkey(settings)
    if broker_url is not None:
        Doorbell(broker_url).listen()
    return served
