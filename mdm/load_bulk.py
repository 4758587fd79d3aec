"""All rows of a file compared with each other and with all that is stored, in bulk. What that needs takes seconds to load.

Stored records have been compared with each other, and their edges tell: of a small file for a large store nearly all pairs are theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from matching.bulk import Bulk, Full, Room, Settled, bulk
from matching.model import Model
from matching.table import Records, put_together
from mdm.errors import NoRoom
from mdm.load_world import World
from mdm.pile import NOBODY, Pile, places_among
from mdm.stock import Ends


@contextmanager
def compared(model: Model, memory_gb: int, stock: Pile, edges: Ends, world: World) -> Iterator[Bulk]:
    """The pairs of a whole world. Raises NoRoom where the disk is too full for what memory cannot hold."""
    settled = _settled(world, edges)
    try:
        with bulk(model, _laid_out(model, stock, world), settled=settled, room=Room(f"{memory_gb}GB")) as executor:
            executor.block(model.thresholds.review)
            yield executor
    except Full as error:
        raise NoRoom from error


def _laid_out(model: Model, stock: Pile, world: World) -> Records:
    """The stored records for which no row of the file stands, and the rows."""
    stays = world.stays
    numbers = np.concatenate([np.flatnonzero(stays), world.places])
    chunks = [*stock.hand_over(stays[: stock.size]), *world.entries.rows.hand_over()]
    return put_together(model, chunks, numbers)


def _settled(world: World, edges: Ends) -> Settled:
    """The stored records for which no row stands, and the edges between two of them."""
    stays = world.stays
    ends = np.stack([places_among(side, world.ids) for side in edges])
    ends = ends[:, (ends != NOBODY).all(axis=0)]
    ends = ends[:, stays[ends].all(axis=0)]
    return Settled(stays, ends.min(axis=0), ends.max(axis=0))
