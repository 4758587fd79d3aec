"""Average linkage: the plain rule written out, and every faster way against it."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matching.arrays import Weighed
from matching.cluster import Clustering, Held, Limits, cluster, connected, pair, parts
from matching.components import COMPONENT_MAX, cluster_all, components

LIMITS = Limits(link=3.0, margin=1.0, clip=10.0, max_size=40)
# Quarters add up exactly in any order, so that equal means equal.
WEIGHTS = st.sampled_from([-14.0, -10.0, -4.0, -0.25, 0.0, 2.0, 3.0, 3.25, 3.5, 4.0, 6.0, 6.75, 9.0, 14.0])


def reference(nodes, weights, together, apart, limits):
    """Try the pairs of clusters from the best mean down, join the first that may join, and start again."""
    clusters = [frozenset({n}) for n in nodes]
    for a, b in together:
        (x,), (y,) = [c for c in clusters if a in c], [c for c in clusters if b in c]
        clusters = [c for c in clusters if c not in (x, y)] + [x | y]

    def mean(x, y):
        known = [weights.get(pair(a, b), -limits.clip) for a in x for b in y]
        return sum(max(-limits.clip, min(limits.clip, weight)) for weight in known) / len(known)

    def barred(x, y):
        return any(pair(a, b) in apart for a in x for b in y)

    def rivals(x, y):
        """Clusters about as close to x as y is, which may join x but not y."""
        others = [z for z in clusters if z not in (x, y) and barred(z, y) and not barred(z, x)]
        return [z for z in others if mean(x, z) >= limits.link and mean(x, z) > mean(x, y) - limits.margin]

    def obstacle(x, y):
        if barred(x, y):
            return "veto"
        if len(x | y) > limits.max_size:
            return "size"
        return "margin" if rivals(x, y) or rivals(y, x) else None

    while True:
        near = [(x, y) for x, y in combinations(sorted(clusters, key=min), 2) if mean(x, y) >= limits.link]
        free = [(-mean(x, y), min(x), min(y), x, y) for x, y in near if obstacle(x, y) is None]
        if not free:
            held = tuple(Held(x, y, mean(x, y), obstacle(x, y)) for x, y in near)
            return Clustering(tuple(sorted(clusters, key=min)), held)
        *_, x, y = min(free, key=lambda found: found[:3])
        clusters = [c for c in clusters if c not in (x, y)] + [x | y]


@st.composite
def problems(draw, size_max=9):
    nodes = "abcdefghijkl"[: draw(st.integers(1, size_max))]
    pairs = list(combinations(nodes, 2))
    weights = {p: draw(WEIGHTS) for p in pairs if draw(st.integers(0, 9)) > 0}
    some = st.sets(st.sampled_from(pairs), max_size=len(nodes)) if pairs else st.just(set())
    limits = Limits(3.0, draw(st.sampled_from([0.0, 1.0, 4.0])), 10.0, draw(st.sampled_from([2, 3, 40])))
    return nodes, weights, frozenset(draw(some) if draw(st.integers(0, 3)) == 0 else ()), frozenset(draw(some)), limits


@given(problems(), st.randoms())
def test_clusters_by_the_plain_rule_in_any_order(problem, random):
    nodes, weights, together, apart, limits = problem
    shuffled = dict(random.sample(sorted(weights.items()), len(weights)))
    found = cluster(random.sample(nodes, len(nodes)), shuffled, together=together, apart=apart, limits=limits)
    assert found == reference(nodes, weights, together, apart, limits)


def sets(clusters):
    return {"".join(sorted(members)) for members in clusters}


def test_a_chain_breaks_where_the_mean_falls_below_the_link():
    found = cluster("abcd", {("a", "b"): 9, ("b", "c"): 4, ("c", "d"): 8}, together=frozenset(), apart=frozenset(), limits=LIMITS)
    assert sets(found.clusters) == {"ab", "cd"}


def test_a_rival_that_may_not_join_too_holds_until_it_joins_another():
    """`b` could go to `a` or `c`, who are apart; once `c` has gone to `d`, it is no longer as close to `b`."""
    near = {("a", "b"): 6.0, ("b", "c"): 5.5, ("a", "c"): -9.0}
    apart = frozenset({("a", "c")})
    held = cluster("abc", near, together=frozenset(), apart=apart, limits=LIMITS)
    assert [(h.weight, h.reason) for h in held.held] == [(6.0, "margin"), (5.5, "margin")]
    freed = cluster("abcd", near | {("c", "d"): 5.75}, together=frozenset(), apart=apart, limits=LIMITS)
    assert sets(freed.clusters) == {"ab", "cd"}


def test_who_may_join_neither_is_no_rival():
    near = {("a", "b"): 6.0, ("b", "c"): 5.5, ("a", "c"): 5.5}
    apart = frozenset({("a", "c"), ("b", "c")})
    found = cluster("abc", near, together=frozenset(), apart=apart, limits=LIMITS)
    assert sets(found.clusters) == {"ab", "c"}
    assert [h.reason for h in found.held] == ["veto"]


def test_a_persons_word_goes_before_a_veto():
    p = frozenset({("a", "b")})
    assert sets(cluster("ab", {("a", "b"): -9.0}, together=p, apart=p, limits=LIMITS).clusters) == {"ab"}


def test_connected_follows_paths():
    assert connected([("a", "b"), ("b", "c"), ("x", "y")], ["a"]) == {"a", "b", "c"}


def test_parts_follow_paths_and_stand_in_order():
    assert parts("abcdxyz", [("c", "x"), ("a", "x"), ("y", "d"), ("b", "b")]) == [["a", "c", "x"], ["b"], ["d", "y"], ["z"]]


def test_components_number_connected_rows_alike():
    found = components(np.array([0, 3]), np.array([2, 4]), 6)
    assert found[0] == found[2]
    assert found[3] == found[4]
    assert len(set(found.tolist())) == 4


def bulk(count, weights, vetoed, limits, *, blocked=lambda _pair: True):
    """`cluster_all` with `blocked` pairs handed in and the others scored on demand."""
    known = [p for p in weights if blocked(p)]
    asked = []

    def score_missing(left, right):
        asked.append(list(zip(left.tolist(), right.tolist(), strict=True)))
        return Weighed(left, right, np.array([weights[p] for p in asked[-1]]), np.array([p in vetoed for p in asked[-1]]))

    left, right = np.array(known, dtype=np.int64).reshape(-1, 2).T
    facts = np.array([weights[p] for p in known], dtype=np.float64), np.array([p in vetoed for p in known], dtype=np.bool_)
    return cluster_all(count, Weighed(left, right, *facts), limits, score_missing), asked


def named(p):
    return tuple(f"{row:04}" for row in p)


@given(st.data())
def test_all_at_once_is_what_each_by_itself_is(data):
    count = data.draw(st.integers(1, 14))
    pairs = list(combinations(range(count), 2))
    drawn = data.draw(st.lists(st.sampled_from([-6.0, -6.0, 2.0, 3.0, 4.0, 9.0, 12.0]), min_size=len(pairs), max_size=len(pairs)))
    weights = dict(zip(pairs, drawn, strict=True))
    vetoed = data.draw(st.sets(st.sampled_from(pairs), max_size=4)) if pairs else set()
    limits = Limits(3.0, data.draw(st.sampled_from([0.0, 1.0])), 10.0, data.draw(st.sampled_from([3, 40])))
    found, asked = bulk(count, weights, vetoed, limits, blocked=lambda p: weights[p] >= limits.link or sum(p) % 2 == 0)
    expected = cluster(
        [f"{row:04}" for row in range(count)],
        {named(p): w for p, w in weights.items()},
        together=frozenset(),
        apart=frozenset(map(named, vetoed)),
        limits=limits,
    )
    groups = {row: int(min(members)) for members in expected.clusters for row in map(int, members)}
    assert found.groups.tolist() == [groups[row] for row in range(count)]
    held = [(h.left, h.right, h.weight, h.reason) for h in found.held]
    assert sorted(held) == [(int(min(h.left)), int(min(h.right)), h.weight, h.reason) for h in expected.held]
    assert len(asked) <= 1
    assert found.scored == sum(map(len, asked))
    assert all(pairs == sorted(set(pairs)) for pairs in asked)


def test_only_pairs_inside_components_are_scored():
    _, asked = bulk(5, {(0, 1): 5.0, (1, 2): 5.0, (0, 2): 1.0, (3, 4): 5.0, (2, 3): -1.0}, set(), LIMITS, blocked=lambda p: p != (0, 2))
    assert asked == [[(0, 2)]]


def test_a_component_that_is_too_large_is_narrowed_and_reported():
    """Two halves, each held together by heavy pairs, and one light pair between them."""
    half = COMPONENT_MAX * 3 // 4
    row = np.arange(half - 1)
    left, right = np.concatenate([row, row + half, [0]]), np.concatenate([row + 1, row + half + 1, [half]])
    weights = np.concatenate([np.full(2 * half - 2, 9.0), [3.5]])
    asked = []

    def score_missing(low, high):
        asked.append(np.stack([low, high]))
        return Weighed(low, high, np.full(len(low), 9.0), np.zeros(len(low), dtype=np.bool_))

    limits = Limits(3.0, 1.0, 10.0, 2 * half)
    found = cluster_all(2 * half, Weighed(left, right, weights, np.zeros(len(left), dtype=np.bool_)), limits, score_missing)
    assert (found.components, found.narrowed) == (2, 1)
    assert found.groups.tolist() == [0] * half + [half] * half
    assert found.scored == half * (half - 1) - 2 * (half - 1)
    assert ((asked[0] < half).all(axis=0) | (asked[0] >= half).all(axis=0)).all()


def test_no_pairs_leave_every_row_alone():
    found, asked = bulk(3, {}, set(), LIMITS)
    assert (found.groups.tolist(), found.components, asked) == ([0, 1, 2], 0, [])
    assert bulk(0, {}, set(), LIMITS)[0].groups.tolist() == []
