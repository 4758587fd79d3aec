"""Where a department's money goes: mapping rules in local codes, before and after the reorganisation of the cost centers.

`department` is a key of ehr-north or ehr-mercy, `cost_center` and `account` are keys of erp-north.
"""

from collections.abc import Iterator
from datetime import date

from seed.delivery import MappingRow
from seed.departments import Department
from seed.finance import CostCenter

DEPARTMENT_SET, CHARGE_SET = "department-cost-center", "charge-posting"
OUTPATIENT_REVENUE, INPATIENT_REVENUE, EMERGENCY_REVENUE, PHARMACY_REVENUE = "402100", "401100", "403100", "404100"
INPATIENT = {"commercial": "401100", "medicare": "401200", "medicaid": "401300", "self_pay": "401400", "workers_comp": "401500"}
OUTPATIENT = {"commercial": "402100", "medicare": "402200", "medicaid": "402300", "self_pay": "402400", "workers_comp": "402500"}


def mappings(departments: tuple[Department, ...], cost_centers: tuple[CostCenter, ...]) -> tuple[MappingRow, ...]:
    """Every department to its cost center; every department that charges, by payer class, to cost center and account."""
    rules: list[MappingRow] = []
    for department in departments:
        for center in _serving(department, cost_centers):
            rules += [_home(department, center), *_charges(department, center)]
    return tuple(rules)


def _serving(department: Department, cost_centers: tuple[CostCenter, ...]) -> list[CostCenter]:
    """Its cost centers one after the other; a department that has closed sees no later one."""
    closed = department.closed or date.max
    return [one for one in cost_centers if department.number in one.serves and one.valid_from <= closed]


def _home(department: Department, center: CostCenter) -> MappingRow:
    return _rule(DEPARTMENT_SET, department, center, {}, {})


def _charges(department: Department, center: CostCenter) -> Iterator[MappingRow]:
    """The general rule first; the more specific ones by payer class beat it."""
    if not department.revenue_code:
        return
    yield _rule(CHARGE_SET, department, center, {}, {"account": _general_account(department)})
    for payer_class, account in (INPATIENT if _is_inpatient(department) else OUTPATIENT).items():
        yield _rule(CHARGE_SET, department, center, {"payer_class": payer_class}, {"account": account})


def _rule(name: str, department: Department, center: CostCenter, inputs: dict[str, str], outputs: dict[str, str]) -> MappingRow:
    return MappingRow(
        set=name,
        inputs={"department": department.ehr_key, **inputs},
        outputs={"cost_center": center.key, **outputs},
        valid_from=center.valid_from,
        valid_to=min((day for day in (center.valid_to, department.closed) if day is not None), default=None),
    )


def _is_inpatient(department: Department) -> bool:
    return department.service_line in {"Inpatient Care", "Critical Care"}


def _general_account(department: Department) -> str:
    if _is_inpatient(department):
        return INPATIENT_REVENUE
    return {"Emergency": EMERGENCY_REVENUE, "Pharmacy": PHARMACY_REVENUE}.get(department.service_line, OUTPATIENT_REVENUE)
