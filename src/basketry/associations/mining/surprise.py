"""What categories do not explain: itemsets and rules that occur oftener than their ancestors lead to expect."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import isfinite, prod
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from basketry.associations.mining.generalizations import Generalizations
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rules import MinedRules
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.lattice import Lattice
from basketry.kernels.trees import Int32s, Int64s

if TYPE_CHECKING:
    from basketry.associations.mining.taxonomy import Taxonomy

Mask = npt.NDArray[np.bool_]
Found = TypeVar("Found", MinedItemsets, MinedRules)

_BLOCK: Final = 1 << 14
_NEAR: Final = 1e-9  # ratios this close to the factor are settled in whole numbers


def surprising(found: Found, taxonomy: Taxonomy, factor: float = 1.1) -> Found:
    """Those of the itemsets, or of the rules, that are surprising; see `is_surprising`. Others of their counts stay."""
    wanted = is_surprising(found, taxonomy, factor)
    if isinstance(found, MinedRules):
        return found.take(wanted)
    nodes = np.zeros(len(found.tree.parent), dtype=np.bool_)
    nodes[found.tree.members[wanted]] = True
    return MinedItemsets(found.tree.keep(nodes), found.names, found.n_baskets, found.min_count)


def is_surprising(found: MinedItemsets | MinedRules, taxonomy: Taxonomy, factor: float = 1.1) -> Mask:
    """Whether each member (in the order of `tree.members`), or each rule, is R-interesting for R = `factor`.

    An ancestor of an itemset is the same with one item or more replaced by their ancestors; of a rule likewise, each item on
    its side. If the itemset were nothing but its ancestor, its items taking their share of what they replace, one expects

        support = support of the ancestor x product over the items of P(item) / P(its replacement),

    and of a rule X => Y likewise, with the product over Y alone for the confidence. An itemset is interesting where its
    support is at least R times as expected from each nearest of its interesting ancestors; a rule where its support or its
    confidence is; and anything that has no interesting ancestor. So of what is rarer than expected nothing is told. Only those
    of `found` count as ancestors. Exact: ties with the factor are settled in whole numbers.

    Source: Srikant and Agrawal 1995, section 2.3. Cost: for each member a look-up, some 100 ns, for each way of raising its
    items until an interesting ancestor is met; a million itemsets of a shop under three levels take some 2 s. Raises
    RequestError where the tree does not hold the items of its itemsets alone, and for a factor that is no positive number;
    DataError for names that the taxonomy does not have.
    """
    if not (isfinite(factor) and factor > 0):
        raise RequestError(f"factor is {factor}", "give a number above 0, such as 1.1")
    mined = found.itemsets if isinstance(found, MinedRules) else found
    lattice = found.lattice if isinstance(found, MinedRules) else Lattice.of(mined.tree)
    general = Generalizations.of(lattice, mined.names, taxonomy)
    whole = found.whole if isinstance(found, MinedRules) else mined.tree.members
    interesting = np.zeros(len(whole), dtype=np.bool_)
    depths = lattice.depth[whole]
    with span("surprise", total=len(whole), unit="rules" if isinstance(found, MinedRules) else "itemsets") as progress:
        for length in np.unique(depths).tolist():
            these = np.flatnonzero(depths == length)
            claims = _Claims.of(found, general, these)
            for block in claims.from_the_top():
                claims.judge(block, factor)
                progress.advance(len(block))
            interesting[these] = claims.interesting
    return interesting


@dataclass(frozen=True, eq=False)
class _Claims:
    """Itemsets or rules of one length L: node, row of items and, of a rule, X's node and which items of the row are of Y.

    `interesting` [k] is filled in from the most general ones on.
    """

    general: Generalizations
    whole: Int32s
    rows: Int32s
    antecedent: Int32s | None
    consequent: Mask
    interesting: Mask

    @classmethod
    def of(cls, found: MinedItemsets | MinedRules, general: Generalizations, these: Int64s) -> _Claims:
        """Those of what was found at the places `these`."""
        rules = found if isinstance(found, MinedRules) else None
        whole = rules.whole[these] if rules else found.tree.members[these]  # type: ignore[union-attr]  # one or the other
        rows = general.rows(whole)
        antecedent = rules.antecedent[these] if rules else None
        consequent = np.zeros(rows.shape, dtype=np.bool_)
        if antecedent is not None:
            start, items = general.lattice.tree.flatten(antecedent)
            n_items, rule = len(general.forest.parent), np.arange(len(these), dtype=np.int64)
            keys = np.repeat(rule, np.diff(start)) * n_items + items
            consequent = ~np.isin(rule[:, None] * n_items + rows, keys)
        return cls(general, whole, rows, antecedent, consequent, np.zeros(len(these), dtype=np.bool_))

    def from_the_top(self) -> list[Int64s]:
        """Their places in blocks, so that every ancestor is in an earlier block than its descendants."""
        heights = self.general.heights(self.rows)
        order = np.argsort(heights, kind="stable")
        cuts = np.flatnonzero(np.diff(heights[order])) + 1
        return [level[at : at + _BLOCK] for level in np.split(order, cuts) for at in range(0, len(level), _BLOCK)]

    def judge(self, block: Int64s, factor: float) -> None:
        """Decide on those at `block`, all of whose ancestors are decided."""
        own, ancestor = self._nearest(block)
        enough = self._compared(own, ancestor, self.consequent | True, None, factor)
        if self.antecedent is not None:
            enough |= self._compared(own, ancestor, self.consequent, self.antecedent, factor)
        self.interesting[block] = True
        self.interesting[own[~enough]] = False

    def _nearest(self, block: Int64s) -> tuple[Int64s, Int64s]:
        """Pairs of one of the block and a nearest of its interesting ancestors: none between the two is interesting."""
        owner, rows = block, self.rows[block]
        pairs = [(np.empty(0, dtype=np.int64),) * 2]
        m = len(self.general.lattice.depth)
        while len(owner):
            which, raised, nodes = self.general.raised(rows)
            owner = owner[which]
            first = np.unique(owner * m + nodes, return_index=True)[1]
            owner, raised, nodes = owner[first], raised[first], nodes[first]
            claim = self._lookup.find(nodes, owner)
            met = (claim >= 0) & self.interesting[claim]
            pairs.append((owner[met], claim[met]))
            owner, rows = owner[~met], raised[~met]
        own, ancestor = (np.concatenate(side) for side in zip(*pairs, strict=True))
        keys = np.unique(own * len(self.whole) + ancestor)
        return self._without_far(keys // max(len(self.whole), 1), keys % max(len(self.whole), 1))

    @cached_property
    def _lookup(self) -> _Lookup:
        return _Lookup.of(self.whole, self.consequent)

    @cached_property
    def _alone(self) -> Int64s:
        """Baskets with each item of the rows, by code; 0 where the tree does not have it alone."""
        items = np.unique(self.rows)
        nodes = self.general.lattice.find(np.arange(len(items) + 1, dtype=np.int64), items)
        alone = np.zeros(len(self.general.forest.parent), dtype=np.int64)
        alone[items] = np.where(nodes >= 0, self.general.lattice.tree.support[nodes], 0)
        return alone

    def _without_far(self, own: Int64s, ancestor: Int64s) -> tuple[Int64s, Int64s]:
        """The pairs, ordered by `own`, but those whose ancestor is above another one of the same."""
        start = np.searchsorted(own, own)
        sizes = np.searchsorted(own, own, side="right") - start
        one = np.repeat(np.arange(len(own)), sizes)
        other = np.arange(len(one)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(start, sizes)
        far = np.zeros(len(own), dtype=np.bool_)
        above = self.general.are_above(self.rows[ancestor[one]], self.rows[ancestor[other]])
        far[one[above]] = True
        return own[~far], ancestor[~far]

    def _compared(self, own: Int64s, ancestor: Int64s, over: Mask, per: Int32s | None, factor: float) -> Mask:
        """Whether baskets (per those of X) are at least `factor` times as expected by the items where `over` is true."""
        support, above, below = self.general.lattice.tree.support, self._alone[self.rows[ancestor]], self._alone[self.rows[own]]
        if not (above.all() and below.all()):
            raise RequestError(
                "what to expect of an itemset rests on the supports of its items, and some stand in none alone",
                "mine kind 'all' without must_contain and min_length; drop what is not surprising before other filters",
            )
        counts = [(support[self.whole[own]], support[self.whole[ancestor]])]
        if per is not None:
            counts.append((support[per[ancestor]], support[per[own]]))
        shares = np.where(over[own], above / below, 1.0).prod(axis=1)
        ratio = shares * np.prod([one / other for one, other in counts], axis=0)
        enough: Mask = ratio >= factor
        for row in np.flatnonzero(np.abs(ratio - factor) <= _NEAR * factor).tolist():
            pairs = [(int(one[row]), int(other[row])) for one, other in counts]
            pairs += zip(above[row][over[own[row]]].tolist(), below[row][over[own[row]]].tolist(), strict=True)
            enough[row] = prod(Fraction(*pair) for pair in pairs) >= Fraction(repr(float(factor)))
        return enough


@dataclass(frozen=True, eq=False)
class _Lookup:
    """Claims found by their itemset and the side of each item: descendants and ancestors share their sides, item by item."""

    side: Int64s
    keys: Int64s
    order: Int64s
    n_sides: int

    @classmethod
    def of(cls, whole: Int32s, consequent: Mask) -> _Lookup:
        """Of claims [k] by node and sides [k, L]."""
        sides, side = np.unique(np.packbits(consequent, axis=1), axis=0, return_inverse=True)
        keys = whole.astype(np.int64) * max(len(sides), 1) + side.ravel()
        order = np.argsort(keys)
        return cls(side.ravel(), keys[order], order, max(len(sides), 1))

    def find(self, nodes: Int32s, like: Int64s) -> Int64s:
        """The claim of each node that has the sides of the claim `like`; -1 where there is none."""
        keys = nodes.astype(np.int64) * self.n_sides + self.side[like]
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.order[at], -1)
