"""Cost centers of all companies in a hierarchy, before and after the reorganisation at the turn of the fiscal year 2026/27.

A cost center is named by company and code. Codes have six digits of which the first is 0; the personnel system keeps them as numbers
and so loses it. Two companies may use one code for different things.
"""

from dataclasses import dataclass, replace
from datetime import date
from random import Random

from factory.base import Factory
from factory.declarations import LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Delivery, Replacement, Status, Told, present
from seed.departments import Department, spoken_name
from seed.errors import abbreviated, cased, chance, maybe, typo, without_leading_zeros
from seed.vocabulary import rows, table, words

TOTAL, REUSED_CODES = 200, 4
LAST_DAY, TURN = date(2026, 6, 30), date(2026, 7, 1)
SHARED_SERVICES = "0001"
MERCY = "0200"


@dataclass(frozen=True, slots=True)
class CostCenter:
    """A cost center as finance knows it. `serves` are the numbers of the departments whose costs it collects."""

    number: int
    company: str
    code: str
    name: str
    parent: str | None
    postable: bool
    manager: str
    serves: tuple[int, ...] = ()
    valid_from: date = date(2019, 7, 1)
    valid_to: date | None = None
    replaced_by: str | None = None

    @property
    def key(self) -> str:
        """Its key in the finance system."""
        return f"{self.company}-{self.code}"

    @property
    def status(self) -> Status:
        return "active" if self.valid_to is None else "inactive"


class CostCenterFactory(Factory[CostCenter]):
    """Cost centers with a manager's name; the number is the order in which finance opened them."""

    class Meta:
        model = CostCenter

    number = Sequence(lambda n: n + 1)
    postable = True
    manager = LazyFunction(
        lambda: f"{randgen.choice(words('people', 'female') + words('people', 'male'))} {randgen.choice(words('people', 'family'))}"
    )


@dataclass(frozen=True, slots=True)
class Company:
    code: str
    name: str
    prefix: str

    def cost_center_code(self, four_digits: int) -> str:
        return f"{self.prefix}{four_digits:04d}"


def plan_cost_centers(planned: tuple[Department, ...]) -> tuple[CostCenter, ...]:
    """Totals per company, groups per service line, one cost center per department, overhead, and the reorganisation."""
    count_from_one(CostCenterFactory)
    companies = {row[0]: Company(*row) for row in rows("finance", "companies")}
    made: list[CostCenter] = []
    for company in companies.values():
        made += _company_cost_centers(company, [one for one in planned if one.company == company.code])
    made, opened = _reorganised(made, companies, {one.number: one.name for one in planned})
    overhead = _overhead(companies, TOTAL - len(made) - len(opened))
    return (*made, *opened, *overhead)


def serving(cost_centers: tuple[CostCenter, ...]) -> dict[int, str]:
    """Department number -> code of the cost center that collected its costs before the turn of the year."""
    return {number: one.code for one in cost_centers for number in one.serves if one.valid_from < TURN}


def cost_centers(rng: Random, planned: tuple[CostCenter, ...]) -> list[Told]:
    told = [Told(_entity(one), _finance_delivery(one)) for one in planned]
    for one in planned:
        if one.company == MERCY:
            told.append(Told(_entity(one), _mercy_delivery(rng, one)))
        if chance(rng, 0.3 if one.company == MERCY else 0.8):
            told.append(Told(_entity(one), _personnel_delivery(rng, one)))
    return told


def replacements(planned: tuple[CostCenter, ...]) -> list[Replacement]:
    keys = {(one.company, one.code): one.key for one in planned}
    return [
        Replacement("cost_center", "erp-north", one.key, keys[one.company, one.replaced_by], TURN) for one in planned if one.replaced_by
    ]


def _company_cost_centers(company: Company, served: list[Department]) -> list[CostCenter]:
    """The total at 9999, the groups at x000, the cost centers of the departments in steps of ten below their group."""
    total = CostCenterFactory.build(
        company=company.code, code=company.cost_center_code(9999), name=f"{company.name} Total", parent=None, postable=False
    )
    made = [total]
    for group, name in enumerate(_groups(served), start=1):
        members = [one for one in served if _group_of(one) == name]
        head = CostCenterFactory.build(
            company=company.code,
            code=company.cost_center_code(group * 1000),
            name=f"{name} Summary {company.name}",
            parent=total.code,
            postable=False,
        )
        made += [head, *_leaves(company, head, group, members)]
    return made


def _leaves(company: Company, head: CostCenter, group: int, members: list[Department]) -> list[CostCenter]:
    """One per department; the departments of the same name at the two clinics of one company share theirs."""
    by_name: dict[str, list[Department]] = {}
    for one in members:
        by_name.setdefault(spoken_name(one, floor_in_words=False), []).append(one)
    return [
        CostCenterFactory.build(
            company=company.code,
            code=company.cost_center_code(group * 1000 + step * 10),
            name=name,
            parent=head.code,
            serves=tuple(one.number for one in served),
        )
        for step, (name, served) in enumerate(by_name.items(), start=1)
    ]


def _groups(served: list[Department]) -> list[str]:
    return list(dict.fromkeys(_group_of(one) for one in served))


def _group_of(one: Department) -> str:
    if one.service_line in {"Inpatient Care", "Critical Care", "Women and Children", "Nursing"}:
        return "Nursing Services"
    return {"clinical": "Ambulatory Services", "ancillary": "Ancillary Services", "admin": "Support Services"}[one.kind]


def _reorganised(made: list[CostCenter], companies: dict[str, Company], names: dict[int, str]) -> tuple[list[CostCenter], list[CostCenter]]:
    """The cost centers with those that closed, and the new ones that took over from them."""
    opened: list[CostCenter] = []
    for step, (name, company, *replaced) in enumerate(rows("finance", "reorganisations"), start=1):
        old = [one for one in made if one.company == company and {names[n] for n in one.serves} & set(replaced)]
        code = companies[company].cost_center_code(8000 + step * 10)
        served = tuple(number for one in old for number in one.serves)
        opened.append(CostCenterFactory.build(company=company, code=code, name=name, parent=old[0].parent, serves=served, valid_from=TURN))
        made = [replace(one, valid_to=LAST_DAY, replaced_by=code) if one in old else one for one in made]
    return made, opened


def _overhead(companies: dict[str, Company], count: int) -> list[CostCenter]:
    """Shared services fill the chart; their first few codes mean something else in another company."""
    company, parent = companies[SHARED_SERVICES], companies[SHARED_SERVICES].cost_center_code(9999)
    other = companies["0100"]
    codes = [
        other.cost_center_code(1000 + step * 10) if step <= REUSED_CODES else company.cost_center_code(5000 + step * 10)
        for step in range(1, count + 1)
    ]
    return [
        CostCenterFactory.build(company=company.code, code=code, name=name, parent=parent)
        for code, name in zip(codes, words("finance", "overhead"), strict=False)
    ]


def _entity(one: CostCenter) -> str:
    return f"cost-center-{one.number:03d}"


def _finance_delivery(one: CostCenter) -> Delivery:
    attributes = present(
        name=one.name,
        company=one.company,
        code=one.code,
        parent_code=one.parent,
        manager=one.manager,
        type="operating" if one.postable else "summary",
        posting_allowed="true" if one.postable and one.valid_to is None else "false",
    )
    return Delivery("cost_center", "erp-north", one.key, attributes, (), one.status, one.valid_from, one.valid_to)


def _personnel_delivery(rng: Random, one: CostCenter) -> Delivery:
    """The payroll's copy: codes as numbers, names shortened, and it has not heard of every closure."""
    code = without_leading_zeros(one.code)
    attributes = present(
        name=_office_name(rng, one.name, 0.6),
        company=one.company,
        code=code,
        parent_code=without_leading_zeros(one.parent) if one.parent else None,
        manager=maybe(rng, 0.7, one.manager),
    )
    heard = one.valid_to if chance(rng, 0.7) else None
    return Delivery(
        "cost_center", "workforce-north", f"{one.company}/{code}", attributes, (), "inactive" if heard else "active", one.valid_from, heard
    )


def _mercy_delivery(rng: Random, one: CostCenter) -> Delivery:
    """The acquired hospital's own ledger; its numbers were taken over by the group, so both hold the same cost center."""
    code = without_leading_zeros(one.code) if chance(rng, 0.15) else one.code
    attributes = present(
        name=_office_name(rng, one.name, 0.35),
        company=one.company,
        code=code,
        parent_code=one.parent,
        posting_allowed="true" if one.postable else "false",
    )
    return Delivery("cost_center", "erp-mercy", code, attributes, (), one.status, one.valid_from, one.valid_to)


def _office_name(rng: Random, name: str, share: float) -> str:
    short = abbreviated(rng, name, table("departments", "abbreviations") | table("finance", "abbreviations"), share)
    slipped = typo(rng, short) if len(short) > 10 and chance(rng, 0.04) else short
    return cased(rng, slipped, 0.4)
