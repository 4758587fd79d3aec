"""Diagrams of a measurement, as SVG, by matplotlib (the extra `plots`): what the engine saw, and what other thresholds would cost.

Precision and recall are of single pairs here, before they become groups. Importing this without matplotlib raises ImportError.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from matching.model import Model
from mdm.quality import Measured, Weights, weights_by_truth

SAME, DIFFERENT = "#0b6e4f", "#b3541e"  # told apart in grey print and by colour-blind readers as well
_BINS = 60
_POINTS_MAX = 500  # an SVG of a million points opens nowhere
_LEVEL_INCHES = 0.22


def draw(measured: Measured, folder: Path) -> None:
    """Write scores.svg, precision_recall.svg, review_load.svg and levels.svg into an existing folder. Raises OSError."""
    weights, model = weights_by_truth(measured), measured.found.model
    for name, plot in _DIAGRAMS.items():
        figure = Figure(figsize=(8, 5), layout="constrained")
        plot(figure.subplots(), weights, model)
        figure.savefig(folder / f"{name}.svg")
    _levels(model).savefig(folder / "levels.svg")


def _scores(axes: Axes, weights: Weights, model: Model) -> None:
    bins = np.histogram_bin_edges(weights.weight, bins=_BINS)
    axes.hist(weights.weight[~weights.is_true], bins=bins.tolist(), color=DIFFERENT, alpha=0.6, label="different")
    axes.hist(weights.weight[weights.is_true], bins=bins.tolist(), color=SAME, alpha=0.6, label="same")
    axes.set(title="Weights of the compared pairs", xlabel="weight (bits)", ylabel="pairs", yscale="symlog")
    _mark_thresholds(axes, model)


def _precision_recall(axes: Axes, weights: Weights, _: Model) -> None:
    true = np.cumsum(_falling(weights).is_true)
    at = _sampled(len(true))
    recall, precision = true[at] / max(weights.true_pairs, 1), true[at] / (at + 1)
    axes.plot(recall, precision, color=SAME, marker=".", label="single pairs")
    axes.set(title="Precision and recall as the threshold falls", xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()


def _review_load(axes: Axes, weights: Weights, model: Model) -> None:
    falling = _falling(weights)
    below = falling.weight < model.thresholds.link
    at = _sampled(int(below.sum()))
    axes.plot(falling.weight[below][at], at + 1, color=DIFFERENT, label="pairs for review")
    axes.plot(falling.weight[below][at], np.cumsum(falling.is_true[below])[at], color=SAME, label="of them the same")
    axes.set(title="Pairs that a person would see", xlabel="review threshold (bits)", ylabel="pairs below link", yscale="symlog")
    _mark_thresholds(axes, model)


_DIAGRAMS = MappingProxyType({"scores": _scores, "precision_recall": _precision_recall, "review_load": _review_load})


def _falling(weights: Weights) -> Weights:
    order = np.argsort(-weights.weight, kind="stable")
    return Weights(weights.weight[order], weights.is_true[order], weights.true_pairs)


def _sampled(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS_MAX)).astype(np.int64))


def _mark_thresholds(axes: Axes, model: Model) -> None:
    for name, style in (("review", ":"), ("link", "--")):
        axes.axvline(getattr(model.thresholds, name), color="black", linestyle=style, label=name)
    axes.legend()


def _levels(model: Model) -> Figure:
    """Every level with its m and u: the further apart, the more it says."""
    shares: Mapping[str, tuple[float, float]] = {
        f"{comparison.name}: {level.label}": (level.m, level.u) for comparison in model.comparisons for level in comparison.levels
    }
    figure = Figure(figsize=(9, 1.5 + _LEVEL_INCHES * len(shares)), layout="constrained")
    axes, rows = figure.subplots(), np.arange(len(shares))
    m, u = zip(*shares.values(), strict=True)
    axes.hlines(rows, np.minimum(m, u), np.maximum(m, u), color="lightgrey")
    axes.scatter(m, rows, color=SAME, label="m: among the same", zorder=2)
    axes.scatter(u, rows, color=DIFFERENT, label="u: among different", zorder=2)
    axes.set(title=f"Levels of {model.version}", xlabel="share of pairs", xscale="log", ylim=(len(shares), -1))
    axes.set_yticks(rows, list(shares), fontsize=7)
    axes.legend()
    return figure
