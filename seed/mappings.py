"""The three tables of rules that flows of the demo world ask: where money is posted, what is charged, and who is paid.

They have the flaws that such tables have: departments that moved at the turn of the fiscal year, exceptions for payers over general rules,
a cost that two cost centers share, contracts that ran out.
"""

from collections.abc import Iterator
from datetime import date
from random import Random

from seed.delivery import Delivery, Identifier, MappingRow
from seed.departments import Department
from seed.errors import chance
from seed.finance import CostCenter

POSTING, CHARGES, REMIT_TO = "department-posting", "charge-codes", "remit-to"
OUTPATIENT_REVENUE, INPATIENT_REVENUE, EMERGENCY_REVENUE, PHARMACY_REVENUE = "402100", "401100", "403100", "404100"
INPATIENT = {"commercial": "401100", "medicare": "401200", "medicaid": "401300", "self_pay": "401400", "workers_comp": "401500"}
OUTPATIENT = {"commercial": "402100", "medicare": "402200", "medicaid": "402300", "self_pay": "402400", "workers_comp": "402500"}
SHARED_WITH = {"Endoscopy": "Pharmacy", "Infusion Center": "Outpatient Laboratory"}  # who bears a part of whose outpatient costs
PROCEDURES = tuple(f"PX{number:04d}" for number in range(1001, 1041))  # made up: real procedure codes are somebody's property
CONTRACT_ENDS, NEW_CONTRACT = date(2025, 12, 31), date(2026, 1, 1)
DOCUMENTS = ("invoice", "credit_memo")


def mappings(
    rng: Random, departments: tuple[Department, ...], cost_centers: tuple[CostCenter, ...], deliveries: tuple[Delivery, ...]
) -> tuple[MappingRow, ...]:
    """All rules of all three sets."""
    return (
        *(rule for department in departments for rule in _postings(department, cost_centers, departments)),
        *_charges(rng, departments, deliveries),
        *_remittances(deliveries),
    )


def _postings(department: Department, cost_centers: tuple[CostCenter, ...], departments: tuple[Department, ...]) -> Iterator[MappingRow]:
    """The general rule of a department that charges, then the more specific ones by payer class, for each of its cost centers in turn."""
    if not department.revenue_code:
        return
    for center in _serving(department, cost_centers):
        yield _posting(department, center, {}, _general_account(department), _shared(department, center, cost_centers, departments))
        for payer_class, account in (INPATIENT if _is_inpatient(department) else OUTPATIENT).items():
            yield _posting(department, center, {"payer_class": payer_class}, account, None)


def _serving(department: Department, cost_centers: tuple[CostCenter, ...]) -> list[CostCenter]:
    """Its cost centers one after the other; a department that has closed sees no later one."""
    closed = department.closed or date.max
    return [one for one in cost_centers if department.number in one.serves and one.valid_from <= closed]


def _shared(
    department: Department, center: CostCenter, cost_centers: tuple[CostCenter, ...], departments: tuple[Department, ...]
) -> CostCenter | None:
    """The cost center that bears a part, while it is the same department's neighbour in the same facility."""
    partners = {one.number for one in departments if one.facility == department.facility and one.name == SHARED_WITH.get(department.name)}
    return next((one for one in cost_centers if partners & set(one.serves) and one.valid_from == center.valid_from and one != center), None)


def _posting(
    department: Department, center: CostCenter, inputs: dict[str, str | Identifier], account: str, partner: CostCenter | None
) -> MappingRow:
    parts = ((center, "100"),) if partner is None else ((center, "70"), (partner, "30"))
    return MappingRow(
        set=POSTING,
        inputs={"department": (department.ehr, department.ehr_key), **inputs},
        splits=tuple((share, {"cost_center": each.key, "account": account}) for each, share in parts),
        valid_from=center.valid_from,
        valid_to=min((day for day in (center.valid_to, department.closed) if day is not None), default=None),
    )


def _is_inpatient(department: Department) -> bool:
    return department.service_line in {"Inpatient Care", "Critical Care"}


def _general_account(department: Department) -> str:
    if _is_inpatient(department):
        return INPATIENT_REVENUE
    return {"Emergency": EMERGENCY_REVENUE, "Pharmacy": PHARMACY_REVENUE}.get(department.service_line, OUTPATIENT_REVENUE)


def _charges(rng: Random, departments: tuple[Department, ...], deliveries: tuple[Delivery, ...]) -> Iterator[MappingRow]:
    """A charge for each item that can be charged, and for each procedure where it is done; exceptions by payer and department."""
    payers = [one for one in deliveries if one.domain == "payer" and one.system == "billing-north"]
    public = [one for one in payers if one.attributes["type"] in {"medicare_advantage", "medicaid"}]
    theatres = [one for one in departments if one.service_line == "Perioperative" and one.closed is None]
    items = [one for one in deliveries if one.domain == "item" and one.system == "ehr-north" and one.attributes.get("chargeable") == "true"]
    for number, item in enumerate(items):
        inputs: dict[str, str | Identifier] = {"item": (item.system, item.key)}
        yield _charge(inputs, f"27{number:05d}")
        if chance(rng, 0.2):
            payer = rng.choice(public)
            yield from _contract({**inputs, "payer": (payer.system, payer.key)}, f"27{number:05d}P", f"27{number:05d}Q")
        if chance(rng, 0.1):
            theatre = rng.choice(theatres)
            yield _charge({**inputs, "department": (theatre.ehr, theatre.ehr_key)}, f"27{number:05d}T")
    for number, procedure in enumerate(PROCEDURES):
        yield _charge({"procedure": procedure}, f"36{number:05d}")
        theatre = theatres[number % len(theatres)]
        yield _charge({"procedure": procedure, "department": (theatre.ehr, theatre.ehr_key)}, f"36{number:05d}T")


def _contract(inputs: dict[str, str | Identifier], before: str, after: str) -> Iterator[MappingRow]:
    """A payer's own code until its contract ran out, and another under the new contract."""
    yield _charge(inputs, before, valid_to=CONTRACT_ENDS)
    yield _charge(inputs, after, valid_from=NEW_CONTRACT)


def _charge(inputs: dict[str, str | Identifier], code: str, *, valid_from: date | None = None, valid_to: date | None = None) -> MappingRow:
    return MappingRow(CHARGES, inputs, (("100", {"charge_code": code}),), valid_from, valid_to)


def _remittances(deliveries: tuple[Delivery, ...]) -> Iterator[MappingRow]:
    """A supplier is paid at its own site; its invoices at the lockbox, where it has one."""
    ledger = {one.key: one for one in deliveries if one.domain == "supplier" and one.system == "erp-north"}
    for key, site in ledger.items():
        if key.endswith("-R"):
            continue
        yield _remittance(site, {}, key)
        if f"{key}-R" in ledger:
            for document in DOCUMENTS:
                yield _remittance(site, {"document_kind": document}, f"{key}-R" if document == "invoice" else key)


def _remittance(site: Delivery, inputs: dict[str, str | Identifier], key: str) -> MappingRow:
    return MappingRow(REMIT_TO, {"supplier_site": (site.system, site.key), **inputs}, (("100", {"remit_to": key}),), site.valid_from)
