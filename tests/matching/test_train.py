"""Training on drawn patterns, whose m and u are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.levels import same
from matching.model import Comparison, Level, Model, Thresholds
from matching.patterns import Patterns
from matching.train import Trained, reestimate_from_labels, train, train_one_to_one

M = [[0.80, 0.15, 0.05], [0.70, 0.20, 0.10], [0.90, 0.10], [0.60, 0.25, 0.15]]
U = [[0.01, 0.04, 0.95], [0.02, 0.08, 0.90], [0.05, 0.95], [0.005, 0.045, 0.95]]
ROUGH_M = [[0.60, 0.30, 0.10], [0.50, 0.30, 0.20], [0.75, 0.25], [0.50, 0.30, 0.20]]
ROUGH_U = [[0.03, 0.07, 0.90], [0.05, 0.10, 0.85], [0.10, 0.90], [0.02, 0.08, 0.90]]


def model_of(m=ROUGH_M, u=ROUGH_U, prior=-4.0):
    return Model("declared", prior, tuple(map(comparison, range(len(m)), m, u)), blocking=(), thresholds=Thresholds(review=0.0, link=5.0))


def comparison(place, m, u):
    column = f"column {place}"
    tests = [(same(column),)] * (len(m) - 1) + [()]
    return Comparison(column, (column,), tuple(map(Level, map(str, range(len(m))), m, u, tests)), group="name")


def draw(shares, pairs, seed):
    random = np.random.default_rng(seed)
    return np.stack([random.choice(len(each), size=pairs, p=each) for each in shares], axis=1).astype(np.int16)


def patterns(*drawn):
    levels, counts = np.unique(np.concatenate(drawn), axis=0, return_counts=True)
    return Patterns(levels, counts.astype(np.float64))


def some(rows, counts=None):
    levels = np.array(rows, dtype=np.int16).reshape(len(rows), -1)
    return Patterns(levels, np.ones(len(rows)) if counts is None else np.array(counts, dtype=np.float64))


def shares(trained, name):
    return np.concatenate([[getattr(level, name) for level in each.levels] for each in trained.model.comparisons])


def weights(trained):
    return [[level.weight for level in each.levels] for each in trained.model.comparisons]


def refusal(trained, model):
    assert trained.model == model
    return trained.diagnostics.refused


MATCHES, OTHERS = draw(M, 2_000, seed=1), draw(U, 18_000, seed=2)
CANDIDATES = patterns(MATCHES, OTHERS)
POPULATION = patterns(draw(U, 100_000, seed=3))

# All pairs of a set, six columns, blocked by agreement in any but the third: most pairs are never compared.
TRUE_M = [*M, [0.75, 0.15, 0.10], [0.65, 0.20, 0.15]]
TRUE_U = [*U, [0.002, 0.010, 0.988], [0.004, 0.016, 0.98]]
PEOPLE = [*ROUGH_M, [0.50, 0.30, 0.20], [0.50, 0.30, 0.20]], [*ROUGH_U, [0.01, 0.04, 0.95], [0.01, 0.04, 0.95]]
ALL_PAIRS = np.concatenate([draw(TRUE_M, 2_000, seed=24), draw(TRUE_U, 198_000, seed=25)])
BLOCKED = patterns(ALL_PAIRS[(np.delete(ALL_PAIRS, 2, axis=1) == 0).any(axis=1)])
RANDOM = patterns(draw(TRUE_U, 100_000, seed=26))


@pytest.fixture(scope="module")
def from_population() -> Trained:
    return train(model_of(*PEOPLE), BLOCKED, RANDOM, 200_000, version="trained")


@pytest.fixture(scope="module")
def from_candidates() -> Trained:
    return train(model_of(), CANDIDATES, None, 2e6, version="trained")


def test_known_shares_come_back_from_the_population(from_population):
    np.testing.assert_allclose(shares(from_population, "m"), np.concatenate(TRUE_M), atol=0.05)
    np.testing.assert_allclose(shares(from_population, "u"), np.concatenate(TRUE_U), atol=0.01)


def test_known_shares_come_back_from_candidates_alone(from_candidates):
    halfway = (np.concatenate(M) + np.concatenate(ROUGH_M)) / 2  # the declared m counts as much as the matches
    np.testing.assert_allclose(shares(from_candidates, "m"), halfway, atol=0.04)
    np.testing.assert_allclose(shares(from_candidates, "u"), np.concatenate(U), atol=0.01)


def test_matches_are_counted(from_population, from_candidates):
    for trained in (from_population, from_candidates):
        assert trained.diagnostics.estimated_matches == pytest.approx(2_000, rel=0.05)


def test_the_prior_is_of_any_pair_or_of_a_candidate_pair(from_population, from_candidates):
    assert from_population.model.prior == pytest.approx(np.log2(0.01 / 0.99), abs=0.1)
    assert from_candidates.model.prior == pytest.approx(np.log2(0.1 / 0.9), abs=0.1)


def test_training_touches_nothing_but_shares_prior_and_version(from_population):
    declared = model_of(*PEOPLE)
    trained = from_population.model
    assert trained.version == "trained"
    assert replace(trained, version="declared", prior=declared.prior, comparisons=declared.comparisons) == declared


def test_the_trained_model_explains_the_pairs_better(from_population, from_candidates):
    for trained in (from_population, from_candidates):
        assert trained.diagnostics.log_likelihood > trained.diagnostics.log_likelihood_default


def test_matches_hidden_among_random_pairs_do_not_raise_u():
    everything = patterns(draw(M, 300, seed=4), draw(U, 29_700, seed=5))
    trained = train(model_of(), everything, everything, 30_000, version="trained")
    assert trained.model.comparisons[3].levels[0].u == pytest.approx(0.005, abs=0.001)  # 0.011 with them


def test_weights_never_climb():
    climbing = [[0.70, 0.05, 0.20, 0.05], *M[1:]]
    flat = [[0.01, 0.04, 0.05, 0.90], *U[1:]]
    candidates = patterns(draw(climbing, 2_000, seed=6), draw(flat, 18_000, seed=7))
    declared = model_of([[0.6, 0.15, 0.15, 0.1], *ROUGH_M[1:]], [[0.02, 0.04, 0.04, 0.90], *ROUGH_U[1:]])
    first, second, third, last = weights(train(declared, candidates, None, 2e6, version="trained"))[0]
    assert first > second > third > last
    assert second == pytest.approx(third, abs=1e-6)


def test_a_level_that_no_pair_met_keeps_its_declared_weight():
    missing = [[0.0, 0.9, 0.1], *M[1:]]
    candidates = patterns(draw(missing, 2_000, seed=8), draw([[0.0, 0.1, 0.9], *U[1:]], 18_000, seed=9))
    declared = model_of([[0.60, 0.30, 0.10], *ROUGH_M[1:]], [[0.0003, 0.07, 0.9297], *ROUGH_U[1:]])
    for population in (None, patterns(draw([[0.0, 0.1, 0.9], *U[1:]], 100_000, seed=10))):
        trained = train(declared, candidates, population, 2e6, version="trained")
        assert weights(trained)[0][0] == pytest.approx(weights(Trained(declared, trained.diagnostics))[0][0], abs=0.5)


def test_a_comparison_without_any_values_stays_as_declared():
    silent = Patterns(np.where(np.arange(4) == 2, -1, CANDIDATES.levels).astype(np.int16), CANDIDATES.counts)
    trained = train(model_of(), silent, POPULATION, 2e6, version="trained")
    assert [level.m for level in trained.model.comparisons[2].levels] == pytest.approx(ROUGH_M[2])
    assert trained.diagnostics.refused is None


def test_few_random_pairs_leave_a_rare_level_rare():
    rare = model_of([[0.9, 0.1], *ROUGH_M[1:]], [[0.00001, 0.99999], *ROUGH_U[1:]])
    candidates = patterns(draw([[0.9, 0.1], *M[1:]], 40, seed=11), draw([[0.0, 1.0], *U[1:]], 60, seed=12))
    population = patterns(draw([[0.0, 1.0], *U[1:]], 400, seed=13))
    trained = train(rare, candidates, population, 4_950, version="trained")
    assert trained.model.comparisons[0].levels[0].u < 0.0001


def siblings():
    """300 partners, and to each two more records that agree in all but the last comparison."""
    partners = np.arange(300)
    like = draw([[0.95, 0.04, 0.01]] * 3, 300, seed=14)
    own, other = draw([[0.9, 0.1]], 300, seed=15), draw([[0.02, 0.98]], 600, seed=16)
    levels = np.concatenate([np.hstack([like, own]), np.hstack([np.tile(like, (2, 1)), other])])
    return levels.astype(np.int16), np.tile(partners, 3), np.arange(900)


def test_one_to_one_learns_what_tells_siblings_apart():
    declared = model_of([[0.7, 0.2, 0.1]] * 3 + [[0.6, 0.4]], [[0.1, 0.2, 0.7]] * 3 + [[0.3, 0.7]])
    trained = train_one_to_one(declared, *siblings(), version="trained")
    assert trained.diagnostics.refused is None
    assert trained.diagnostics.estimated_matches <= 300
    assert trained.model.comparisons[3].levels[0].weight > 4
    assert trained.model.comparisons[0].levels[0].weight < 1


def test_labels_move_m_and_leave_u():
    trained = reestimate_from_labels(model_of(), some([[0, 0, 0, 0]], [80]), some([[2, 2, 1, 2]], [80]), version="labelled")
    top = trained.model.comparisons[0].levels[0]
    assert (top.m, top.u) == pytest.approx(((80 + 20 * 0.6) / 100, 0.03))
    assert trained.model.prior == -4.0


def test_many_labels_of_different_pairs_move_u():
    trained = reestimate_from_labels(model_of(), some([[0, 0, 0, 0]], [80]), some([[2, 2, 1, 2]], [3_000]), version="labelled")
    assert trained.model.comparisons[0].levels[0].u == pytest.approx(0.03 / 4)


@pytest.mark.parametrize(
    ("candidates", "population", "possible_pairs", "reason"),
    [
        (some([[0, 0, 0, 0]], [0]), None, 100, "no candidate pairs"),
        (some([[-1, -1, -1, -1]], [50]), None, 100, "value on both sides"),
        (some([[0, 0, 0, 0]]), None, 0, "fewer than two records"),
        (some([[0, 0, 0, 0]]), some([[0, 0, 0, 0]], [0]), 100, "no random pairs"),
        (some([[2, 2, 1, 2]], [500]), None, 2e6, "fewer than one match"),
        (some([[0, 0, 0, 0]], [500]), POPULATION, 2e6, "every candidate pair"),
        (patterns(MATCHES, OTHERS), POPULATION, 500, "are possible"),
        (patterns(draw(M, 9_000, seed=17), draw(U, 3_000, seed=18)), POPULATION, 500_000, "too many for"),
    ],
)
def test_what_cannot_be_learned_is_refused(candidates, population, possible_pairs, reason):
    model = model_of()
    assert reason in refusal(train(model, candidates, population, possible_pairs, version="trained"), model)


def test_no_convergence_is_refused(monkeypatch):
    monkeypatch.setattr("matching.train.ITERATIONS_MAX", 2)
    model = model_of()
    trained = train(model, CANDIDATES, None, 1e6, version="trained")
    assert not trained.diagnostics.converged
    assert "still moved" in refusal(trained, model)


def test_candidates_just_like_random_pairs_are_refused():
    model = model_of()
    same_share = Patterns(CANDIDATES.levels, np.prod([np.array(u)[CANDIDATES.levels[:, i]] for i, u in enumerate(U)], axis=0) * 1e6)
    assert "fewer than one match" in refusal(train(model, same_share, same_share, 1e6, version="trained"), model)


def test_inverted_classes_are_refused():
    """Random pairs agree more often than candidates do."""
    model = model_of()
    trained = train(model, patterns(OTHERS), patterns(draw(M, 100_000, seed=21)), 2e6, version="trained")
    assert "no more common" in refusal(trained, model)


def test_a_model_that_explains_less_than_the_declared_one_is_refused():
    """Declared weights that climb fit these pairs, and weights that may not climb cannot."""
    m, u = [[0.3, 0.05, 0.6, 0.05]] * 4, [[0.01, 0.3, 0.05, 0.64]] * 4
    model = model_of(m, u, prior=float(np.log2(0.1 / 0.9)))
    trained = train(model, patterns(draw(m, 2_000, seed=22), draw(u, 18_000, seed=23)), None, 2e6, version="trained")
    assert "explains the candidate pairs better" in refusal(trained, model)


def test_labels_without_a_decision_are_refused():
    model = model_of()
    assert "no pair was decided" in refusal(
        reestimate_from_labels(model, some([[0, 0, 0, 0]], [0]), some([[0, 0, 0, 0]]), version="x"), model
    )


ROWS = st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2), st.integers(-1, 1), st.integers(-1, 2)), min_size=1, max_size=12)
COUNTS = st.sampled_from([0.0, 1.0, 7.0, 5_000.0, 1e9])


@st.composite
def any_patterns(draw):
    rows = draw(ROWS)
    return some(rows, draw(st.lists(COUNTS, min_size=len(rows), max_size=len(rows))))


def assert_valid(trained, model):
    assert all(np.isfinite(level.weight) for each in trained.model.comparisons for level in each.levels)
    assert np.isfinite([trained.model.prior, trained.diagnostics.log_likelihood, trained.diagnostics.log_likelihood_default]).all()
    if trained.diagnostics.refused is not None:
        assert trained.model == model
    else:
        assert all(each == sorted(each, reverse=True) for each in weights(trained))


@settings(max_examples=25, deadline=None)
@given(any_patterns(), st.none() | any_patterns(), st.sampled_from([0.0, 1.0, 3.0, 1e4, 1e12]), st.sampled_from([-40.0, -4.0, 8.0]))
def test_any_patterns_give_a_valid_model_or_a_reason(candidates, population, possible_pairs, prior):
    model = model_of(prior=prior)
    assert_valid(train(model, candidates, population, possible_pairs, version="trained"), model)
    assert_valid(reestimate_from_labels(model, candidates, population or candidates, version="trained"), model)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_any_assignment_gives_a_valid_model_or_a_reason(rows, random):
    model = model_of()
    left, right = (np.array([random.randrange(4) for _ in rows]) for _ in range(2))
    assert_valid(train_one_to_one(model, some(rows).levels, left, right, version="trained"), model)
