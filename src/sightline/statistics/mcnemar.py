"""Whether two models that were judged on the same pictures differ by more than chance."""

from __future__ import annotations


def mcnemar(only_first: int, only_second: int) -> float:
    """Return McNemar's exact p: how often chance alone would divide the pictures so unevenly or more.

    Only pictures count on which one model is right and the other wrong: n = b + c. If both were equally good, each
    would be the one that is right with probability ½, so that b follows the binomial distribution:

        p = min(1, 2 · Σ_{k ≤ min(b, c)} (n choose k) / 2ⁿ)

    Args:
        only_first: b, pictures on which the first alone is right.
        only_second: c, pictures on which the second alone is right.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions or percentages
        (Psychometrika 1947); Dietterich, Approximate statistical tests for comparing supervised classification
        learning algorithms (1998), for its use here.
    """
    from scipy.special import bdtr

    total = only_first + only_second
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), total, 0.5))) if total else 1.0
