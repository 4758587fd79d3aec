"""All rows of a file compared with all that is stored, in bulk. What that needs takes seconds to load: small plans do without."""

from collections.abc import Iterator
from contextlib import contextmanager

from matching.bulk import Bulk, Full, Room, bulk
from matching.model import Model
from matching.table import lay_out
from mdm.errors import NoRoom
from mdm.load_match import World


@contextmanager
def compared(model: Model, room: Room, world: World) -> Iterator[Bulk]:
    """The pairs of a whole world. Raises NoRoom where the disk is too full for what memory cannot hold."""
    try:
        with bulk(model, lay_out(model, world.columns), room=room) as executor:
            executor.block()
            yield executor
    except Full as error:
        raise NoRoom from error
