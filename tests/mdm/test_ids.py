"""Ids sort by time, whoever makes them."""

import os
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from mdm import ids
from mdm.ids import new_id


def test_ids_of_a_process_ascend_within_a_millisecond_and_are_version_7():
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}


def test_ids_ascend_when_the_clock_is_set_back(monkeypatch):
    before = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)
    assert new_id() > before


def test_threads_and_children_never_make_the_same():
    with ThreadPoolExecutor(8) as pool:
        made = {each for some in pool.map(lambda _: [new_id() for _ in range(2_000)], range(8)) for each in some}
    assert len(made) == 16_000
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    assert UUID(bytes=os.read(reading, 16)) != new_id()
