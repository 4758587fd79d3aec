"""Places to listen on for servers that a test starts and may start again."""

import os
import random
import socket

# Below the range from which the system hands out ports for connections going out: one of those may take a port between two starts.
LOWEST, HIGHEST = 20_000, 32_000
WORKER, WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_port() -> int:
    """A port of this machine where nobody listens, and which no other worker of this run is given."""
    for port in random.SystemRandom().sample(range(LOWEST + WORKER, HIGHEST, WORKERS), 100):
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")
