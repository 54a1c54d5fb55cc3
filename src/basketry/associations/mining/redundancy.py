"""Fewer rules that tell as much: those that a more general rule makes superfluous are dropped."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.lattice import EMPTY
from basketry.kernels.tails import hypergeometric_upper_tail

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.contingency import Counts, Floats
    from basketry.associations.mining.rules import MinedRules
    from basketry.kernels.trees import Int32s

    Mask = npt.NDArray[np.bool_]

By = Literal["improvement", "closed", "statistical"]
WAYS: Final = ("improvement", "closed", "statistical")
_BLOCK: Final = 1 << 16


def remove_redundant(
    rules: MinedRules, by: By = "improvement", *, min_improvement: float = 0.0, alpha: float = 0.05
) -> MinedRules:
    """The rules that are not redundant, in their order; see `worth_keeping`."""
    return rules.take(worth_keeping(rules, by, min_improvement=min_improvement, alpha=alpha))


def worth_keeping(rules: MinedRules, by: str = "improvement", *, min_improvement: float = 0.0, alpha: float = 0.05) -> Mask:
    """Whether each rule tells what no more general one does, mask [r].

    More general than X => Y is every rule X' => Y with X' a proper subset of X, the empty one too; all of them are compared
    with, whether or not they are among `rules`.
    `improvement`: keeps X => Y where its confidence is higher than that of each more general rule, by `min_improvement` at
    least; exact (Bayardo, Agrawal & Gunopulos, Constraint-based rule mining in large, dense databases, 2000).
    `closed`: keeps X => Y where no proper subset of X has the support of X (a minimal generator) and no proper superset of X
    u Y has the support of X u Y (closed): the least antecedent and the largest consequent among rules of equal counts.
    Lossless: every other rule has the counts of one that is kept (Bastide et al., Mining minimal non-redundant association
    rules using frequent closed itemsets, 2000). Supersets beyond a limit on length are not seen.
    `statistical`: keeps X => Y where Fisher's exact test says for each item x of X that Y is more frequent with it than
    without, p <= `alpha` among the baskets with X - {x} (productive rules; Webb, Discovering significant patterns, 2007).
    alpha is for one rule: allowing for how many were tried is another step.
    Raises RequestError where the tree lacks a subset that is needed.
    """
    if by not in WAYS:
        raise RequestError(f"redundancy {by!r} is not known", f"choose one of {', '.join(WAYS)}")
    if not 0 <= min_improvement <= 1 or not 0 <= alpha <= 1:
        raise RequestError(f"min_improvement is {min_improvement}, alpha is {alpha}", "both lie between 0 and 1")
    if by == "improvement":
        return _improves(rules, min_improvement)
    if by == "statistical":
        return improvement_p(rules) <= alpha
    generator, closed = closures(rules)
    return generator[rules.antecedent] & closed[rules.whole]


def _improves(rules: MinedRules, least: float) -> Mask:
    """Whether the improvement is above 0 and at least `least`; near-ties are settled in whole numbers."""
    n_xy, n_x, _ = rules.counts()
    best_xy, best_x = (counts.astype(np.int64) for counts in rules.best_general)
    better = n_xy * best_x > best_xy * n_x
    if least == 0:
        return better
    improvement = rules.measure("improvement")
    enough = improvement >= least
    bound = Fraction(repr(float(least)))
    for row in np.flatnonzero(np.abs(improvement - least) < 1e-9).tolist():
        confidence, general = Fraction(int(n_xy[row]), int(n_x[row])), Fraction(int(best_xy[row]), int(best_x[row]))
        enough[row] = confidence - general >= bound
    return better & enough


def closures(rules: MinedRules) -> tuple[Mask, Mask]:
    """For each node of the tree: is it a minimal generator; is it closed. Nodes that are no members are neither."""
    tree, lattice = rules.itemsets.tree, rules.lattice
    generator = tree.support > 0
    closed = generator.copy()
    for nodes in _blocks(tree.members):
        start, below = lattice.without_each(nodes)
        above = np.repeat(nodes, np.diff(start))
        same = _support(rules, below) == tree.support[above]
        generator[above[same]] = False
        inside = below[same]
        closed[inside[inside != EMPTY]] = False
    return generator, closed


def improvement_p(rules: MinedRules) -> Floats:
    """The largest p, over the items x of X, of the test that x does not make Y more likely, float64 [r].

    P(C >= n_xy) for C hypergeometric: n_x baskets drawn from those with X - {x}, of which those that hold Y too are good.
    """
    largest = np.empty(len(rules))
    done = 0
    with span("productive", total=len(rules), unit="rules") as progress:
        for rows in _blocks(np.arange(len(rules), dtype=np.int32)):
            antecedent, whole = rules.antecedent[rows], rules.whole[rows]
            start, general = rules.lattice.without_each(antecedent)
            _, general_with_y = rules.lattice.without_each(antecedent, whole)
            each = np.repeat(np.arange(len(rows)), np.diff(start))
            support = rules.itemsets.tree.support.astype(np.int64)
            p = hypergeometric_upper_tail(
                support[whole][each],
                _support(rules, general_with_y),
                support[antecedent][each],
                _support(rules, general),
            )
            largest[done : done + len(rows)] = np.maximum.reduceat(p, start[:-1])
            done += len(rows)
            progress.advance(len(rows))
    return largest


def _support(rules: MinedRules, nodes: Int32s) -> Counts:
    """Supports, the empty itemset's too: every basket holds it."""
    return np.where(nodes == EMPTY, rules.n_baskets, rules.itemsets.tree.support[nodes]).astype(np.int64)


def _blocks(ids: Int32s) -> Iterator[Int32s]:
    """Parts of moderate size, between which an interrupt takes effect."""
    for first in range(0, len(ids), _BLOCK):
        yield ids[first : first + _BLOCK]
