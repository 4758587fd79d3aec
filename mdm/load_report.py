"""The sign-off report of a load: one page that needs nothing beside it, and the same figures as JSON. Its filler reads them from SQL."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One loaded file as it was read."""

    name: str
    format: str
    domain: str
    system: str
    rows: int
    bytes: int
    sha256: str
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """What a column became."""

    column: str
    target: str


@dataclass(frozen=True, slots=True)
class ReportStep:
    """A repair, and how many rows it changed."""

    title: str
    rows: int
    on: bool


@dataclass(frozen=True, slots=True)
class ReportSample:
    """One row as an example of an outcome. Its words carry no more than the reader of the report may see."""

    outcome: str
    row: int
    golden_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReportAct:
    """Who did what, when: planned, approved, applied, undone."""

    act: str
    actor: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Everything a second person signs. `counts`: outcome -> rows, in the plan and as applied; `rejects`: code -> rows."""

    load_id: str
    plan_id: str
    title: str
    state: str
    made_at: datetime
    files: tuple[ReportFile, ...]
    columns: tuple[ReportColumn, ...]
    steps: tuple[ReportStep, ...]
    planned: Mapping[str, int]
    applied: Mapping[str, int]
    rejects: Mapping[str, int]
    template_version: str
    model_version: str
    thresholds: Mapping[str, float]
    fingerprint: str
    samples: tuple[ReportSample, ...] = ()
    acts: tuple[ReportAct, ...] = ()
    open_reviews: int = 0
    guards: tuple[str, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes of plan and apply, each once."""
        return tuple(dict.fromkeys((*self.planned, *self.applied)))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_html(self) -> str:
        """The page; it loads nothing, and every text in it is escaped."""
        return _PAGES.get_template("load_report.html").render(report=self)


_PAGES = Environment(loader=PackageLoader("mdm"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
