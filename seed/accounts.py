"""Accounts of two charts: the group's six digits, and the four digits of the acquired hospital, whose first is 0.

Accounts of different charts are different accounts, also where they mean much the same; what joins them is a mapping.
"""

from dataclasses import dataclass
from datetime import date
from random import Random

from factory.base import Factory
from factory.declarations import LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Delivery, Told, present
from seed.errors import abbreviated, cased, chance, typo, without_leading_zeros
from seed.vocabulary import rows, table

GROUP_CHART, MERCY_CHART = "NHCOA", "MHCOA"
CREDIT_TYPES = {"liability", "equity", "revenue"}


@dataclass(frozen=True, slots=True)
class Account:
    number: int
    chart: str
    code: str
    name: str
    type: str
    opened: date

    @property
    def postable(self) -> bool:
        return not (self.chart == GROUP_CHART and self.code.endswith("00000"))

    @property
    def normal_balance(self) -> str:
        return "credit" if self.type in CREDIT_TYPES else "debit"


class AccountFactory(Factory[Account]):
    """Accounts opened at the turn of some fiscal year."""

    class Meta:
        model = Account

    number = Sequence(lambda n: n + 1)
    opened = LazyFunction(lambda: date(randgen.randrange(2004, 2022), 7, 1))


def plan_accounts() -> tuple[Account, ...]:
    count_from_one(AccountFactory)
    charts = ((GROUP_CHART, "accounts"), (MERCY_CHART, "mercy_accounts"))
    return tuple(
        AccountFactory.build(chart=chart, code=code, name=name, type=kind)
        for chart, words in charts
        for code, name, kind in rows("finance", words)
    )


def accounts(rng: Random, planned: tuple[Account, ...]) -> list[Told]:
    return [Told(f"account-{one.number:03d}", _delivery(rng, one, system)) for one in planned for system in _systems(rng, one)]


def _systems(rng: Random, one: Account) -> list[str]:
    """The ledger has them all; billing copies revenue and receivables, payroll copies what it pays."""
    if one.chart == MERCY_CHART:
        return ["erp-mercy", "erp-north"] if chance(rng, 0.85) else ["erp-mercy"]
    billed = one.type == "revenue" or one.code.startswith("112")
    paid = one.code.startswith(("50", "202"))
    return ["erp-north", *(["billing-north"] if billed else []), *(["workforce-north"] if paid else [])]


def _delivery(rng: Random, one: Account, system: str) -> Delivery:
    owns = system == ("erp-mercy" if one.chart == MERCY_CHART else "erp-north")
    code = one.code if owns or one.chart == GROUP_CHART or chance(rng, 0.6) else without_leading_zeros(one.code)
    attributes = present(
        name=one.name if owns else _copied_name(rng, one.name),
        chart=one.chart,
        code=code,
        type=one.type if owns or chance(rng, 0.7) else None,
        normal_balance=one.normal_balance if owns or chance(rng, 0.4) else None,
        postable=str(one.postable).lower() if owns else None,
        parent_code=_parent_code(one) if owns else None,
    )
    key = code if owns else f"{one.chart}-{code}"
    return Delivery("account", system, key, attributes, valid_from=one.opened)


def _copied_name(rng: Random, name: str) -> str:
    short = abbreviated(rng, name, table("finance", "abbreviations"), 0.55)
    slipped = typo(rng, short) if len(short) > 10 and chance(rng, 0.05) else short
    return cased(rng, slipped, 0.5)


def _parent_code(one: Account) -> str | None:
    return f"{one.code[0]}00000" if one.postable and one.chart == GROUP_CHART else None
