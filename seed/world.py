"""The demo world as one value: systems, deliveries, mapping rules, and for every delivery the entity that it is really about.

`build_world` is a pure function of its arguments: one seed, one world, to the last letter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from factory.random import reseed_random

from seed.accounts import accounts, plan_accounts
from seed.delivery import Delivery, MappingRow, Replacement, SystemSpec, Told
from seed.departments import departments, plan_departments
from seed.finance import cost_centers, plan_cost_centers, replacements, serving
from seed.items import items
from seed.locations import locations
from seed.mappings import mappings
from seed.patients import febrl_patients
from seed.payers import payers
from seed.providers import providers
from seed.relations import related
from seed.suppliers import plan_suppliers, suppliers

__all__ = ["SYSTEMS", "Delivery", "MappingRow", "Replacement", "SystemSpec", "World", "build_world"]

NORTHFIELD, MERCY = "Northfield Health", "Mercy"
SYSTEMS = (
    SystemSpec("ehr-north", "Northfield electronic health record", "ehr", NORTHFIELD, (("hl7", "NMC_EHR"),)),
    SystemSpec("billing-north", "Northfield patient billing", "billing", NORTHFIELD, (("hl7", "NMC_PB"),)),
    SystemSpec("erp-north", "Northfield finance and procurement", "erp", NORTHFIELD, (("hl7", "NERP"),)),
    SystemSpec("supply-north", "Northfield supply chain", "supply_chain", NORTHFIELD, (("hl7", "NSCM"),)),
    SystemSpec("workforce-north", "Northfield personnel and payroll", "workforce", NORTHFIELD, (("hl7", "NHCM"),)),
    SystemSpec("ehr-mercy", "Mercy electronic health record", "ehr", MERCY, (("hl7", "MERCY_EHR"),)),
    SystemSpec("erp-mercy", "Mercy finance and procurement", "erp", MERCY, (("hl7", "MERP"),)),
)

Made = TypeVar("Made")
SourceKey = tuple[str, str, str]


class ContradictoryWorldError(ValueError):
    """The generator has made two deliveries under one key."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the demo delivers. `truth` maps (domain, system, local key) to the entity."""

    systems: tuple[SystemSpec, ...]
    deliveries: tuple[Delivery, ...]
    truth: dict[SourceKey, str]
    mappings: tuple[MappingRow, ...]
    replacements: tuple[Replacement, ...]


def build_world(random_seed: int = 2026, patients: int | None = None) -> World:
    """The world of one seed with so many patients (None: all 5,000, each held by both hospitals)."""
    planned = _seeded(random_seed, "department", plan_departments)
    centers = _seeded(random_seed, "cost center", lambda _: plan_cost_centers(planned))
    told = [
        *_seeded(random_seed, "location", locations),
        *_seeded(random_seed, "cost centers", lambda rng: cost_centers(rng, centers)),
        *_seeded(random_seed, "departments", lambda rng: departments(rng, planned, serving(centers))),
        *_seeded(random_seed, "account", lambda rng: accounts(rng, plan_accounts())),
        *_seeded(random_seed, "supplier", lambda rng: suppliers(rng, plan_suppliers(rng))),
        *_seeded(random_seed, "payer", payers),
        *_seeded(random_seed, "provider", providers),
        *_seeded(random_seed, "item", items),
        *_seeded(random_seed, "patient", lambda rng: febrl_patients(rng, patients)),
    ]
    told = related(told, planned, centers)
    deliveries = tuple(one.delivery for one in told)
    rules = _seeded(random_seed, "mapping", lambda rng: mappings(rng, planned, centers, deliveries))
    return World(SYSTEMS, deliveries, _truth(told), rules, tuple(replacements(centers)))


def _seeded(random_seed: int, subject: str, make: Callable[[Random], Made]) -> Made:
    """Each subject has its own random source, so that a change to one leaves the others as they were."""
    reseed_random(f"{random_seed}:{subject}")
    return make(Random(f"{random_seed}:{subject}"))


def _truth(told: list[Told]) -> dict[SourceKey, str]:
    truth: dict[SourceKey, str] = {}
    for one in told:
        key = (one.delivery.domain, one.delivery.system, one.delivery.key)
        if key in truth:
            raise ContradictoryWorldError(f"two deliveries under {' '.join(key)}")
        truth[key] = one.entity
    return truth
