"""Do two names name the same? Judged by the words alone, aligned one to one; for lists that give nothing but names.

Both sides keeping words of their own is a conflict, however much else they share, and an organisation's name has no word to spare: it may
be a branch, or the number of a fund. Of a person one side may know more names, and a letter may stand for a name.
"""

from collections.abc import Sequence

from rapidfuzz.distance import DamerauLevenshtein

_ALIKE = 0.65  # of a word to its counterpart, as a share of letters
_ALIGNED = 0.5  # from here on words may stand for each other at all
_WHOLE = 0.88  # of the words of both names, sorted: words cut or joined elsewhere


def same_organisation(left: Sequence[str], right: Sequence[str]) -> float:
    """Every word of either name has its counterpart in the other, near spellings included."""
    if _is_same(left, right):
        return 1.0
    pairs = _align(left, right)
    spare = (len(left) - len(pairs), len(right) - len(pairs))
    return float(_alike_as_a_whole(left, right) if all(spare) else not any(spare) and min(pairs) >= _ALIKE)


def same_person(left: Sequence[str], right: Sequence[str]) -> float:
    """The words of one name have their counterparts in the other, which may have more where two agree."""
    if _is_same(left, right):
        return 1.0
    pairs = _align(left, right, initials=True)
    spare = (len(left) - len(pairs), len(right) - len(pairs))
    if all(spare):
        return float(_alike_as_a_whole(left, right))
    return float(bool(pairs) and min(pairs) >= _ALIKE and (not any(spare) or len(pairs) > 1))


def _is_same(left: Sequence[str], right: Sequence[str]) -> bool:
    return bool(left) and (sorted(left) == sorted(right) or "".join(left) == "".join(right))


def _align(left: Sequence[str], right: Sequence[str], *, initials: bool = False) -> list[float]:
    """How alike the words are that stand for each other: the likest first, each word once."""
    pairs = [(-_likeness(a, b, initials=initials), sorted((a, b)), i, j) for i, a in enumerate(left) for j, b in enumerate(right)]
    used_left: set[int] = set()
    used_right: set[int] = set()
    likeness = []
    for distance, _, i, j in sorted(pairs):
        if -distance >= _ALIGNED and i not in used_left and j not in used_right:
            used_left.add(i)
            used_right.add(j)
            likeness.append(-distance)
    return likeness


def _likeness(one: str, other: str, *, initials: bool) -> float:
    if initials and 1 in {len(one), len(other)} and one[0] == other[0]:
        return max(_ALIKE, DamerauLevenshtein.normalized_similarity(one, other))
    return float(DamerauLevenshtein.normalized_similarity(one, other))


def _alike_as_a_whole(left: Sequence[str], right: Sequence[str]) -> bool:
    return DamerauLevenshtein.normalized_similarity(" ".join(sorted(left)), " ".join(sorted(right))) >= _WHOLE
