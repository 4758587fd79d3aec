"""Places to listen on for servers that a test starts and may start again."""

import random
import socket

# Below the range from which the system hands out ports for connections going out: one of those may take a port between two starts.
LOWEST, HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A port of this machine where nobody listens."""
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), 100):
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")
