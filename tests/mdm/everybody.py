"""The active records of a domain as they are stored, one by one: what tests compare with."""

from typing import NamedTuple

from mdm.db import fetch


class Everybody(NamedTuple):
    names: list
    columns: list
    golden_ids: list


def everybody(database, entity):
    rows = database.run(
        lambda s: fetch(
            s,
            "select r.system || '/' || r.key, r.columns, l.golden_id from source_record r join link l on l.record_id = r.id"
            " and l.recorded_to is null where r.domain = %s and r.status = 'active' order by r.id",
            (entity.name,),
        )
    )
    return Everybody(*([row[place] for row in rows] for place in range(3)))
