"""The six agreement measures for one sample, from their definitions as sets and loops."""

from tests.reference.correlation import pearson


def ranks(a: list[float]) -> list[float]:
    """Average ranks of the absolute values, 1 = largest."""
    size = [abs(x) for x in a]
    larger = [sum(y > x for y in size) for x in size]
    equal = [sum(y == x for y in size) for x in size]
    return [more + (same + 1) / 2 for more, same in zip(larger, equal, strict=True)]


def top(a: list[float], k: int) -> set[int]:
    """The k largest absolute values, the lower index first where they tie."""
    return set(sorted(range(len(a)), key=lambda feature: (-abs(a[feature]), feature))[:k])


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def feature_agreement(a: list[float], b: list[float], k: int) -> float:
    return len(top(a, k) & top(b, k)) / k


def rank_agreement(a: list[float], b: list[float], k: int) -> float:
    shared = top(a, k) & top(b, k)
    return len({s for s in shared if ranks(a)[s] == ranks(b)[s]}) / k


def sign_agreement(a: list[float], b: list[float], k: int) -> float:
    shared = top(a, k) & top(b, k)
    return len({s for s in shared if sign(a[s]) == sign(b[s])}) / k


def signed_rank_agreement(a: list[float], b: list[float], k: int) -> float:
    shared = top(a, k) & top(b, k)
    same = {s for s in shared if ranks(a)[s] == ranks(b)[s] and sign(a[s]) == sign(b[s])}
    return len(same) / k


def rank_correlation(a: list[float], b: list[float]) -> float:
    if len(set(ranks(a))) == 1 or len(set(ranks(b))) == 1:
        return 0.0
    return pearson(ranks(a), ranks(b))


def pairwise_rank_agreement(a: list[float], b: list[float], strict: bool = False) -> float:
    rank_a, rank_b = ranks(a), ranks(b)
    agreeing = pairs = 0
    for i in range(len(a)):
        for j in range(i + 1, len(a)):
            if strict:
                agreeing += (rank_a[i] < rank_a[j]) == (rank_b[i] < rank_b[j])
            else:
                agreeing += sign(rank_a[i] - rank_a[j]) == sign(rank_b[i] - rank_b[j])
            pairs += 1
    return agreeing / pairs
