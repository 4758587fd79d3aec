"""Training without labels: EM over level patterns, with guards.

A model that a guard refuses stays as it came, and the reason is in the result.
Thresholds, blocking, vetoes and frequencies are never touched. Levels with a frequency learn the average u of their values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from matching.arrays import Levels, Rows
from matching.assign import assign, contenders
from matching.model import Model
from matching.patterns import Patterns
from matching.shares import (
    Floats,
    PerLevel,
    Shares,
    bits,
    posterior,
    settled,
    shares_of,
    smoothed,
    sum_of_logs,
    tally,
    towards,
    with_shares,
)

ITERATIONS_MAX = 300
PSEUDO_PAIRS = 20.0  # what the declared m counts for, beside the pairs
DIFFERENT_MIN = 1000.0  # pairs decided as different before they move u: the review band is the hard end of all different pairs
_U_MIN = 2e-7
_MOSTLY = 0.99  # the largest share of matches among pairs drawn at random
_U_KEPT = 0.1  # of the observed u, however many matches may hide in it
_STEADY = 1e-5  # the largest move of any share that still counts as none
_STEADY_MATCHES = 1e-4  # the same for the share of matches, relative
_ROUNDING = 1e-6  # nats per pair
_WIDE = 10.0  # candidate pairs per record from where most of them cannot be matches
CONTENDERS = 8  # best candidates of a record that one-to-one training looks at
_PROBABLE = 0.2  # see `train`
_FLAT = 0.01  # nats between a comparison's ends that say nothing

Learn = Callable[[Floats], Shares]  # from the matches expected in every row


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What training saw. `match_share` is of the candidate pairs; log likelihoods are nats per candidate pair, of what EM climbs.

    With u from the population, both likelihoods take u as measured there (blocked pairs agree by selection, so that a better u makes them
    less likely), and pairs that blocking left apart count as no matches. One to one, both take the trained share of matches.
    `refused` says in plain words why the model stayed as it was.
    """

    iterations: int = 0
    converged: bool = False
    match_share: float = 0.0
    estimated_matches: float = 0.0
    log_likelihood: float = 0.0
    log_likelihood_default: float = 0.0
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    model: Model
    diagnostics: Diagnostics


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The candidates, how many pairs there are beside them, and who of them may be a match under given shares (0 or 1 each).

    Rows of pairs less probable than `least` have none.
    """

    levels: Levels
    counts: Floats
    apart: float
    may_match: Callable[[Shares], Floats]
    least: float = 0.0

    @property
    def total(self) -> float:
        return float(self.counts.sum())

    def matches(self, shares: Shares) -> Floats:
        """How many matches are expected in every row."""
        probable = posterior(shares, self.levels)
        return np.where(probable >= self.least, probable, 0.0) * self.may_match(shares) * self.counts

    def log_likelihood(self, shares: Shares) -> float:
        """Nats per pair."""
        same = np.log(shares.match_share) + sum_of_logs(shares.m, self.levels)
        other = sum_of_logs(shares.u, self.levels)
        either = np.logaddexp(same, np.log1p(-shares.match_share) + other)
        found = np.where(self.may_match(shares) > 0, either, other)
        return float(self.counts @ found + self.apart * np.log1p(-shares.match_share)) / self.total


@dataclass(frozen=True, slots=True)
class _Run:
    shares: Shares
    iterations: int
    converged: bool


def train(model: Model, candidates: Patterns, population: Patterns | None, possible_pairs: float, *, version: str) -> Trained:
    """The model with m, u and prior learned from one set's candidates, or from those between two sets.

    With `population` (random pairs) u comes from there and the prior is that of any pair. Without, m and u are both free on the candidates
    and the prior is that of a candidate pair: right for pairs that the same blocking found, which is how a cut at 0 bits is meant.

    Among all pairs of a large set, those of namesakes are far more than the matches, and more than chance alone would give (a given name
    tells the sex). What little probability each has adds up to a class of its own, of matches whose birth dates differ; so pairs count
    from one in five on.
    """
    reason = _unusable(candidates.levels, candidates.counts) or _unusable_sets(population, possible_pairs)
    if reason is not None:
        return _refused(model, reason)
    declared = shares_of(model)
    if population is None:
        # A prior as strong as the matches themselves: without it, EM drifts to whatever the blocking keys agree on.
        pairs = _Pairs(candidates.levels, candidates.counts, 0.0, _anybody(candidates.levels))
        run = _iterate(pairs, declared, _from_candidates(pairs, declared, matches_max=pairs.total, prior_weight=1.0))
        return _guarded(model, pairs, run, default=declared, possible_pairs=possible_pairs, version=version)
    apart = max(possible_pairs - float(candidates.counts.sum()), 0.0)
    pairs = _Pairs(candidates.levels, candidates.counts, apart, _anybody(candidates.levels), _PROBABLE)
    start = replace(declared, match_share=min(0.5, 2 / (_records(possible_pairs) - 1)))
    run = _iterate(pairs, start, _from_population(pairs, declared, population, possible_pairs))
    default = replace(declared, u=run.shares.u)
    return _guarded(model, pairs, run, default=default, possible_pairs=possible_pairs, version=version)


def train_one_to_one(model: Model, levels: Levels, left: Rows, right: Rows, *, version: str) -> Trained:
    """The model learned from candidates between two sets each free of duplicates: levels [pairs, comparisons], and both sides' rows.

    Only pairs of the current greedy assignment may be matches, so that siblings and runners-up train u: those among the best candidates of
    a record by the declared weights. From all that blocking found, u would learn what strangers look like, who are never assigned. The
    prior is that of a candidate pair.
    """
    if (reason := _unusable(levels, np.ones(len(levels)))) is not None:
        return _refused(model, reason)
    declared = shares_of(model)
    near = contenders(left, right, _log_odds(declared, levels), CONTENDERS)
    levels, left, right = levels[near], left[near], right[near]

    def assigned(shares: Shares) -> Floats:
        return assign(left, right, _log_odds(shares, levels)).astype(np.float64)

    pairs = _Pairs(levels, np.ones(len(levels)), 0.0, assigned)
    # The assignment holds EM where it belongs; a strong prior on top would only slow it.
    sides = [len(np.unique(side)) for side in (left, right)]
    # Measured against all candidates, the share of matches would feed on itself: each pair held back as a runner-up lowers it.
    learn = _from_candidates(pairs, declared, matches_max=float(min(sides)), prior_weight=0.0)
    # Starts with all that the declared weights assign: by its posterior a low declared prior would leave nothing to learn from.
    run = _iterate(pairs, replace(learn(assigned(declared)), match_share=0.5), learn)
    default = replace(declared, match_share=run.shares.match_share)
    return _guarded(model, pairs, run, default=default, possible_pairs=float(sides[0] * sides[1]), version=version)


def reestimate_from_labels(model: Model, same: Patterns, different: Patterns, *, version: str) -> Trained:
    """The model with m moved by pairs that people decided to be the same; u moves only with many that they decided to be different."""
    agreed, apart = float(same.counts.sum()), float(different.counts.sum())
    if agreed == 0 and apart < DIFFERENT_MIN:
        return _refused(model, "no pair was decided to be the same")
    now = shares_of(model)
    m = towards(now.m, tally(same.levels, same.counts, now.m), PSEUDO_PAIRS)
    u = towards(now.u, tally(different.levels, different.counts, now.u), DIFFERENT_MIN) if apart >= DIFFERENT_MIN else now.u
    moved = settled(Shares(m, u, now.match_share), now, [np.ones(len(each), dtype=np.bool_) for each in m])
    before, after = (_labels_log_likelihood(shares, same, different) for shares in (now, moved))
    share = agreed / (agreed + apart)
    reason = "the model explains the decided pairs less well than before" if after < before - _ROUNDING else None
    diagnostics = Diagnostics(1, True, share, agreed, after, before, reason)
    return _trained(model, moved, diagnostics, prior=model.prior, version=version)


def _log_odds(shares: Shares, levels: Levels) -> Floats:
    return sum_of_logs(shares.m, levels) - sum_of_logs(shares.u, levels)


def _anybody(levels: Levels) -> Callable[[Shares], Floats]:
    everyone = np.ones(len(levels))
    return lambda _: everyone


def _iterate(pairs: _Pairs, start: Shares, learn: Learn) -> _Run:
    now = start
    for iteration in range(1, ITERATIONS_MAX + 1):
        before, now = now, learn(pairs.matches(now))
        if _is_steady(before, now):
            return _Run(now, iteration, converged=True)
    return _Run(now, ITERATIONS_MAX, converged=False)


def _is_steady(before: Shares, now: Shares) -> bool:
    moved = max(float(np.abs(a - b).max()) for a, b in zip(before.m + before.u, now.m + now.u, strict=True))
    return moved < _STEADY and abs(now.match_share - before.match_share) < _STEADY_MATCHES * before.match_share


def _from_candidates(pairs: _Pairs, declared: Shares, *, matches_max: float, prior_weight: float) -> Learn:
    """Both m and u from the candidates, at most `matches_max` of which can be matches.

    The declared m counts as `prior_weight` times the expected matches, and never as nothing.
    """
    everything = tally(pairs.levels, pairs.counts, declared.m)
    met = _met(everything)

    def learn(matches: Floats) -> Shares:
        found, expected = tally(pairs.levels, matches, declared.m), float(matches.sum())
        m = towards(declared.m, found, max(prior_weight * expected, PSEUDO_PAIRS))
        u = smoothed(declared.u, _rest(everything, found))
        return settled(Shares(m, u, expected / matches_max), declared, met)

    return learn


def _from_population(pairs: _Pairs, declared: Shares, population: Patterns, possible_pairs: float) -> Learn:
    """Take u as random pairs have it, less the matches that hide among them; only m from the candidates."""
    everything = tally(pairs.levels, pairs.counts, declared.m)
    drawn = tally(population.levels, population.counts, declared.u)
    drawn_pairs = float(population.counts.sum())
    u_drawn = smoothed(declared.u, drawn)
    met = _met([a + b for a, b in zip(everything, drawn, strict=True)])

    def learn(matches: Floats) -> Shares:
        found = tally(pairs.levels, matches, declared.m)
        m = towards(declared.m, found, PSEUDO_PAIRS)
        # A comparison that speaks only where names agree (`unless`) meets far more matches than others among its few random pairs.
        hidden = [_share(some.sum() / possible_pairs, every.sum() / drawn_pairs) for some, every in zip(found, drawn, strict=True)]
        u = tuple(_without_matches(*each) for each in zip(u_drawn, m, hidden, strict=True))
        return settled(Shares(m, u, _share(matches.sum(), possible_pairs)), declared, met)

    return learn


def _share(part: float, whole: float) -> float:
    return min(float(part / whole), _MOSTLY) if whole > 0 else 0.0


def _without_matches(u_drawn: Floats, m: Floats, match_share: float) -> Floats:
    return np.maximum((u_drawn - match_share * m) / (1 - match_share), np.maximum(_U_KEPT * u_drawn, _U_MIN))


def _rest(everything: PerLevel, found: PerLevel) -> PerLevel:
    return tuple(np.maximum(every - some, 0.0) for every, some in zip(everything, found, strict=True))


def _met(everything: Sequence[Floats]) -> list[NDArray[np.bool_]]:
    return [each > 0 for each in everything]


def _guarded(model: Model, pairs: _Pairs, run: _Run, *, default: Shares, possible_pairs: float, version: str) -> Trained:
    prior_among = pairs.total + pairs.apart
    matches = float(pairs.matches(run.shares).sum())
    after, before = pairs.log_likelihood(run.shares), pairs.log_likelihood(default)
    reason = (
        _not_converged(run)
        or _upside_down(run.shares, tally(pairs.levels, pairs.counts, run.shares.m))
        or _implausible(matches, pairs.total, possible_pairs, model.max_cluster)
        or ("the declared model explains the candidate pairs better than the trained one" if after < before - _ROUNDING else None)
    )
    diagnostics = Diagnostics(run.iterations, run.converged, matches / pairs.total, matches, after, before, reason)
    return _trained(model, run.shares, diagnostics, prior=bits(matches / prior_among), version=version)


def _trained(model: Model, shares: Shares, diagnostics: Diagnostics, *, prior: float, version: str) -> Trained:
    if diagnostics.refused is not None:
        return Trained(model, diagnostics)
    return Trained(with_shares(model, shares, version=version, prior=prior), diagnostics)


def _refused(model: Model, reason: str) -> Trained:
    return Trained(model, Diagnostics(refused=reason))


def _unusable(levels: Levels, counts: Floats) -> str | None:
    if counts.sum() == 0:
        return "blocking found no candidate pairs"
    if not (levels[counts > 0] >= 0).any():
        return "no candidate pair has a value on both sides of any comparison"
    return None


def _unusable_sets(population: Patterns | None, possible_pairs: float) -> str | None:
    if possible_pairs < 1:
        return "there are fewer than two records"
    if population is not None and population.counts.sum() == 0:
        return "there are no random pairs to take u from"
    return None


def _not_converged(run: _Run) -> str | None:
    return None if run.converged else f"the shares still moved after {run.iterations} iterations"


def _implausible(matches: float, candidates: float, possible_pairs: float, max_cluster: int) -> str | None:
    """Collapsed classes, by how many matches are expected."""
    records = _records(possible_pairs)
    most = min(possible_pairs, records * (max_cluster - 1) / 2)
    if matches < 1:
        return "fewer than one match is expected among the candidate pairs"
    if candidates - matches < 1:
        return "every candidate pair came out as a match, so nothing tells the two classes apart"
    if matches > most:
        return f"{matches:,.0f} matches are expected where at most {most:,.0f} are possible"
    if matches > candidates / 2 and candidates > _WIDE * records:
        return f"{matches / candidates:.0%} of the candidate pairs came out as matches, too many for {candidates / records:.0f} per record"
    return None


def _upside_down(shares: Shares, everything: PerLevel) -> str | None:
    """Where agreement is rarer among matches, monotone levels come out flat. Some may well be flat (siblings agree), not all."""
    logs = [np.log(m / u)[each > 0] for m, u, each in zip(shares.m, shares.u, everything, strict=True)]
    spans = [log[0] - log[-1] for log in logs if len(log) > 1]
    if not spans or max(spans) > _FLAT:
        return None
    return "agreement is no more common among the expected matches than among other pairs"


def _records(possible_pairs: float) -> float:
    """How many records have that many pairs; of two sets, at most about as many as both together."""
    return (1 + sqrt(1 + 8 * possible_pairs)) / 2


def _labels_log_likelihood(shares: Shares, same: Patterns, different: Patterns) -> float:
    """Nats per decided pair."""
    sums = same.counts @ sum_of_logs(shares.m, same.levels) + different.counts @ sum_of_logs(shares.u, different.levels)
    return float(sums) / float(same.counts.sum() + different.counts.sum())
