"""A broker that loses and repeats: kombu's Redis transport, whose every publish is dropped or doubled by the throw of a die.

It is put in kombu's table in the place of the real one, so that whoever publishes in this process (web, sweeper) has a flaky broker; what
is consumed comes from the real server.
"""

import os
import random

from kombu.transport import TRANSPORT_ALIASES, redis

_dice = {}
_shares = {"seed": 0, "drop": 0.0, "double": 0.0}


class Channel(redis.Channel):
    def _put(self, queue, message, **kwargs):
        for _ in range(copies()):
            super()._put(queue, message, **kwargs)


class Transport(redis.Transport):
    Channel = Channel


def install(seed, drop, double):
    """From now on this process, and those forked from it, lose and double these shares of their messages."""
    _shares.update(seed=seed, drop=drop, double=double)
    TRANSPORT_ALIASES["redis"] = f"{__name__}:Transport"


def copies():
    """How often this message is sent. Each process throws its own die, because a fork would repeat its parent's throws."""
    die = _dice.setdefault(os.getpid(), random.Random(f"{_shares['seed']} {os.getpid()}"))
    if die.random() < _shares["drop"]:
        return 0
    return 2 if die.random() < _shares["double"] else 1
