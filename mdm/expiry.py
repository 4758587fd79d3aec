"""Pins that have run out are taken back, each by a decision of its own, as a person would."""

from sqlalchemy.orm import Session

from mdm.access import SYSTEM_ACTOR
from mdm.decisions import get
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act
from mdm.pins import EXPIRED, expired, unpin
from mdm.running import Run

EXPIRE_PINS = "expire_pins"


def expire_pins(run: Run) -> None:
    """The job: one pin per effect, until none that has run out holds. A pin taken back meanwhile is no longer among them."""
    while run.effect(_expire_one):
        pass


def _expire_one(session: Session) -> bool:
    found = [decision for decision, domain in expired(session) if domain in ENTITY_TYPES]
    if not found:
        return False
    decision = get(session, found[0])
    act = Act(actor=SYSTEM_ACTOR, reason=EXPIRED, request_id="")
    unpin(session, ENTITY_TYPES[decision.domain], decision, act)
    return True


def has_expired(session: Session) -> bool:
    """Whether there is anything to do."""
    return bool(expired(session, 1))
