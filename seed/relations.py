"""Who belongs to whom: the relationships that the systems of the demo world state beside their records.

They are taken from the plan and from what was already told, without chance: adding one changes no other letter of the world.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from seed.delivery import Delivery, Edge, Told
from seed.departments import Department
from seed.finance import LAST_DAY, TURN, CostCenter

LEDGER = "erp-north"
SITE = "-R"  # the suffix of a vendor's remit-to site
Place = tuple[str, str]  # system, local key


@dataclass(frozen=True, slots=True)
class _Known:
    """Where things stand: sites by their code and by their facility's name, departments, cost centers, suppliers and payers."""

    sites: Mapping[str, Place]
    facilities: Mapping[str, Place]
    departments: Mapping[Place, Department]
    wards: Mapping[tuple[str, str], Place]
    centers: Mapping[str, CostCenter]
    totals: Mapping[str, str]
    serving: Mapping[int, Sequence[CostCenter]]
    suppliers: Mapping[str, Place]
    payers: Mapping[tuple[str, str], Place]


def related(told: Sequence[Told], departments: Sequence[Department], centers: Sequence[CostCenter]) -> list[Told]:
    """What was told, with the relationships that its system knows of."""
    known = _known([one.delivery for one in told], departments, centers)
    return [replace(one, delivery=_with_edges(known, one.delivery)) for one in told]


def _known(told: Sequence[Delivery], departments: Sequence[Department], centers: Sequence[CostCenter]) -> _Known:
    sites = [one for one in told if one.domain == "location" and one.system != LEDGER and one.attributes["kind"] == "site"]
    return _Known(
        sites={str(one.attributes["code"]): (one.system, one.key) for one in sites},
        facilities={str(one.attributes["name"]): (one.system, one.key) for one in sites},
        departments={(one.ehr, one.ehr_key): one for one in departments},
        wards={(one.facility, one.name): (one.ehr, one.ehr_key) for one in departments},
        centers={one.key: one for one in centers},
        totals={one.company: one.key for one in centers if one.parent is None},
        serving={one.number: [center for center in centers if one.number in center.serves] for one in departments},
        suppliers={_plain(one, "name"): (one.system, one.key) for one in told if one.domain == "supplier" and not _is_site(one)},
        payers={(one.system, _plain(one, "name")): (one.system, one.key) for one in told if one.domain == "payer"},
    )


def _plain(one: Delivery, name: str) -> str:
    """A name without capitals and legal form, as a clerk would look it up."""
    return _LEGAL_FORM.sub("", str(one.attributes.get(name, "")).casefold())


_LEGAL_FORM = re.compile(r",? (?:inc|incorporated|corp|corporation|co|company|llc|ltd)\.?$")


def _is_site(one: Delivery) -> bool:
    return one.key.endswith(SITE)


def _with_edges(known: _Known, one: Delivery) -> Delivery:
    edges = tuple(_EDGES[one.domain](known, one)) if one.domain in _EDGES else ()
    return replace(one, relationships=edges) if edges else one


def _location(known: _Known, one: Delivery) -> Iterator[Edge]:
    parent = known.sites.get(str(one.attributes.get("parent_code")))
    if parent is not None:
        yield Edge("part_of", *parent)


def _department(known: _Known, one: Delivery) -> Iterator[Edge]:
    """The physicians' system knows where costs go: to one cost center before the turn of the fiscal year, to another after it."""
    department = known.departments.get((one.system, one.key))
    if department is None:
        return
    for center in known.serving[department.number]:
        if center.valid_from <= (department.closed or center.valid_from):
            yield Edge("charges_to", LEDGER, center.key, None, max(center.valid_from, department.opened), center.valid_to)
    if department.facility in known.facilities:
        yield Edge("located_at", *known.facilities[department.facility])


def _cost_center(known: _Known, one: Delivery) -> Iterator[Edge]:
    """Finance keeps two trees: the one by which it manages, and a flat one for the budget."""
    center = known.centers.get(one.key) if one.system == LEDGER else None
    if center is None:
        return
    if center.parent is not None:
        yield Edge("rolls_up_to", LEDGER, f"{center.company}-{center.parent}")
        yield Edge("rolls_up_to", LEDGER, known.totals[center.company], "budget")
    if center.replaced_by is not None and center.valid_to == LAST_DAY:
        yield Edge("replaced_by", LEDGER, f"{center.company}-{center.replaced_by}", None, TURN)


def _provider(known: _Known, one: Delivery) -> Iterator[Edge]:
    facility = str(one.attributes.get("organization"))
    if not one.system.startswith("ehr") or facility not in known.facilities:
        return
    yield Edge("works_at", *known.facilities[facility])
    ward = known.wards.get((facility, str(one.attributes.get("department"))))
    if ward is not None:
        yield Edge("works_in", *ward)


def _item(known: _Known, one: Delivery) -> Iterator[Edge]:
    for name, attribute in (("supplied_by", "supplier"), ("made_by", "manufacturer")):
        supplier = known.suppliers.get(_plain(one, attribute))
        if supplier is not None:
            yield Edge(name, *supplier)


def _payer(known: _Known, one: Delivery) -> Iterator[Edge]:
    parent = known.payers.get((one.system, _plain(one, "parent_name")))
    if parent is not None and parent != (one.system, one.key):
        yield Edge("subsidiary_of", *parent)


def _supplier(known: _Known, one: Delivery) -> Iterator[Edge]:
    parent = known.suppliers.get(_plain(one, "parent_name"))
    if _is_site(one):
        yield Edge("sites_of", one.system, one.key.removesuffix(SITE))
    elif parent is not None and parent != (one.system, one.key):
        yield Edge("subsidiary_of", *parent)


_EDGES: Mapping[str, Callable[[_Known, Delivery], Iterator[Edge]]] = {
    "location": _location,
    "department": _department,
    "cost_center": _cost_center,
    "provider": _provider,
    "item": _item,
    "payer": _payer,
    "supplier": _supplier,
}
