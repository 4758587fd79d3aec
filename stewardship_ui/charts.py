"""Drawings of figures as geometry: numbers in, rectangles, lines and labels out, for a template to write as SVG. No colour and no words.

Every drawing fits its figures exactly: a bar is as high as its count on the scale that the ticks name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 8, 22
_TICKS = 4
_LABEL_WIDTH = 60

Series = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, and what it reads."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a stacked bar: which series, of what, how many."""

    series: str
    label: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A series as points of a polyline, or one stretch of it where it has gaps."""

    series: str
    points: str
    last: float


@dataclass(frozen=True, slots=True)
class Dot:
    """One figure of a series."""

    series: str
    label: str
    value: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing `width` by `height`; `base` is where nought lies."""

    ticks: Sequence[Tick]
    labels: Sequence[Tick]
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    marks: Sequence[Tick] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    base: int = HEIGHT - _BOTTOM

    @property
    def right(self) -> int:
        return self.width - _RIGHT


def stacked(columns: Sequence[tuple[str, Mapping[str, int]]], series: Sequence[str], marks: Mapping[str, float] | None = None) -> Drawing:
    """Bars of equal width, pieces in the order of `series` from the base up. `marks`: names at places counted in columns."""
    most = nice(max((sum(counts.values()) for _, counts in columns), default=0))
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(columns), 1)
    bars: list[Bar] = []
    for place, (label, counts) in enumerate(columns):
        height = 0.0
        for name in series:
            if counts.get(name):
                piece = counts[name] / most * _room()
                height += piece
                x, y = _LEFT + place * slot + slot * 0.1, HEIGHT - _BOTTOM - height
                bars.append(Bar(name, label, counts[name], _short(x), _short(y), _short(slot * 0.8), _short(piece)))
    labels = _thinned([Tick(_short(_LEFT + (place + 0.5) * slot), label) for place, (label, _) in enumerate(columns)], WIDTH)
    drawn = [Tick(_short(_LEFT + at * slot), name) for name, at in (marks or {}).items() if 0 <= at <= len(columns)]
    return Drawing(_scale(most), labels, bars=bars, marks=drawn)


def lines(labels: Sequence[str], series: Mapping[str, Series], width: int = WIDTH, dots: Mapping[str, Series] | None = None) -> Drawing:
    """Series over the same labels, all on one scale that begins at nought; None is a gap. `dots` are not joined."""
    dotted = dots or {}
    top = nice(max((value for values in [*series.values(), *dotted.values()] for value in values if value is not None), default=0))
    step = (width - _LEFT - _RIGHT) / max(len(labels) - 1, 1)
    xs = [_short(_LEFT + place * step) for place in range(len(labels))]
    drawn = [line for name, values in series.items() for line in _stretches(name, xs, values, top)]
    points = [
        Dot(name, label, value, x, _height(value, top))
        for name, values in dotted.items()
        for label, x, value in zip(labels, xs, values, strict=True)
        if value is not None
    ]
    ticks = _thinned([Tick(x, label) for x, label in zip(xs, labels, strict=True)], width)
    return Drawing(_scale(top), ticks, lines=drawn, dots=points, width=width)


def _stretches(name: str, xs: Sequence[float], values: Series, most: float) -> list[Line]:
    """A line for each run of figures without a gap; of nothing an empty one."""
    stretches: list[list[tuple[float, float]]] = [[]]
    for x, value in zip(xs, values, strict=True):
        if value is not None:
            stretches[-1].append((x, _height(value, most)))
        elif stretches[-1]:
            stretches.append([])
    return [Line(name, " ".join(f"{x},{y}" for x, y in each), each[-1][1] if each else 0.0) for each in stretches]


def _height(value: float, most: float) -> float:
    return _short(HEIGHT - _BOTTOM - value / most * _room())


def nice(most: float) -> float:
    """The least of 1, 2, 4, 5, 8, 10 or 12 times a power of ten that holds it and whose quarters are whole."""
    power = 10.0 ** floor(log10(max(most, 1)))
    return next(step * power for step in (1, 2, 4, 5, 8, 10, 12) if step * power >= most and step * power % _TICKS == 0)


def _room() -> int:
    return HEIGHT - _TOP - _BOTTOM


def _scale(most: float) -> list[Tick]:
    return [Tick(_short(HEIGHT - _BOTTOM - part / _TICKS * _room()), f"{most * part / _TICKS:,.6g}") for part in range(_TICKS + 1)]


def _thinned(labels: Sequence[Tick], width: int) -> list[Tick]:
    """So few that they do not touch."""
    every = ceil(len(labels) * _LABEL_WIDTH / width)
    return [label for place, label in enumerate(labels) if place % every == 0] if labels else []


def _short(value: float) -> float:
    return round(value, 1)
