"""All rows of a file compared with all that is stored, in bulk. What that needs takes seconds to load: small plans do without."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from matching.bulk import Bulk, Full, Room, bulk
from matching.model import Model
from matching.table import Records, put_together
from mdm.errors import NoRoom
from mdm.load_pile import Pile
from mdm.load_world import World


@contextmanager
def compared(model: Model, memory_gb: int, stock: Pile, world: World) -> Iterator[Bulk]:
    """The pairs of a whole world. Raises NoRoom where the disk is too full for what memory cannot hold."""
    try:
        with bulk(model, _laid_out(model, stock, world), room=Room(f"{memory_gb}GB")) as executor:
            executor.block(model.thresholds.review)
            yield executor
    except Full as error:
        raise NoRoom from error


def _laid_out(model: Model, stock: Pile, world: World) -> Records:
    """The stored records for which no row of the file stands, and the rows."""
    stays = np.ones(world.size, dtype=np.bool_)
    stays[world.places] = False
    numbers = np.concatenate([np.flatnonzero(stays), world.places])
    chunks = [*stock.hand_over(stays[: stock.size]), *world.entries.rows.hand_over()]
    return put_together(model, chunks, numbers)
