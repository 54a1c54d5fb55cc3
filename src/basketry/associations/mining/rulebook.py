"""The rules of a shop that a release holds: mined at a low support, tested, not redundant, and telling of no small group."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from basketry.associations.mining.floor import cells_tell_of_few, held_back
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets, min_count
from basketry.associations.mining.redundancy import worth_keeping
from basketry.associations.mining.rule_table import customer_p_values, rule_table
from basketry.associations.mining.rules import Rules
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.lattice import Lattice
from basketry.kernels.trees import ItemsetTree

if TYPE_CHECKING:
    import dataframely as dy
    import numpy.typing as npt

    from basketry.associations.contingency import Counts, Floats
    from basketry.associations.mining.rules import MinedRules
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run
    from basketry.core.tables import Rules as Contract

    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RuleBook:
    """The estimator: its fields are the hyperparameters.

    The baskets it is given decide what a household can do: those that the edges of the graph are counted in (none of more than
    500 products, at most a customer's latest 365), so that a rule between two products has the figures of their edge, and no
    difference of two ways to count tells of anybody. One household alone makes no rule: `min_customers` must stand behind it,
    and its test is over customers.
    """

    min_customers: int = field(
        default=20, metadata={"doc": "distinct customers behind an itemset, and behind what it lets derive"}
    )
    min_support: int | float = field(
        default=0.0001, metadata={"doc": "a whole number counts baskets, a fraction is a share; never below min_customers"}
    )
    max_length: int = field(default=4, metadata={"doc": "greatest number of products of an itemset, 2 to 8"})
    min_confidence: float = field(default=0.1, metadata={"doc": "least share of the baskets with X that hold Y"})
    alpha: float = field(
        default=0.05, metadata={"doc": "false discovery rate of the rules, and level of the test that each product of X adds"}
    )
    max_itemsets: int = field(default=200_000, metadata={"doc": "past these the support is raised; 12 bytes each"})
    max_rules: int = field(default=20_000, metadata={"doc": "past these the surest are kept; some 60 bytes each"})

    def __post_init__(self) -> None:
        for name in ("min_customers", "max_itemsets", "max_rules"):
            if getattr(self, name) < 1:
                raise RequestError(f"{name} is {getattr(self, name)}", "give a whole number from 1 up")
        if not 2 <= self.max_length <= 8:
            raise RequestError(f"max_length is {self.max_length}", "give a whole number from 2 to 8")
        if not 0 < self.alpha <= 1:
            raise RequestError(f"alpha is {self.alpha}", "it lies above 0 and at most at 1")

    def fit(self, transactions: Transactions, run: Run) -> FoundRules:
        """Mine, test and choose. `run.threads` changes nothing but the time.

        An itemset is held back as edges are (`floor.held_back`), and where inclusion and exclusion would tell of a small group
        (`floor.cells_tell_of_few`). Of the rules X => Y, Y one product, stand those of published itemsets with enough
        confidence that are more confident than every more general one, in which each product of X makes Y more likely, and
        whose q is at most alpha. q corrects (Benjamini and Hochberg) for every rule that could have been found by the
        frequencies of X and Y, those held back and those too unsure included; p is over distinct customers. Of more than
        `max_rules` those of least p are kept, of equals those of greatest lift.
        """
        with span("rules", total=3, unit="steps") as progress:
            mined = self._mined(transactions, run)
            progress.advance()
            lattice = Lattice.of(mined.tree)
            few, customers = held_back(lattice, transactions.baskets, self.min_customers, threads=run.threads)
            few |= cells_tell_of_few(lattice, len(transactions), self.min_customers)
            progress.advance()
            found = Rules(self.min_confidence, max_consequent=1).fit(mined, run)
            kept, p, q = self._chosen(found, few, customers)
            best = np.lexsort((-kept.measure("lift"), p))[: self.max_rules]  # stable: of equals the first stays first
            table = rule_table(kept.take(best), p[best], q[best], customers[kept.whole[best]])
            public = compact(MinedItemsets(mined.tree.keep(~few), mined.names, mined.n_baskets, mined.min_count))
            progress.note(itemsets=len(public), rules=len(table))
            progress.advance()
        return FoundRules(public, table, int(few.sum()), len(kept) - len(table))

    def _mined(self, transactions: Transactions, run: Run) -> MinedItemsets:
        """All itemsets of enough baskets; of more baskets than asked for where they would be too many."""
        least = max(min_count(self.min_support, len(transactions)), self.min_customers)
        estimator = Itemsets(least, max_length=self.max_length, max_itemsets=self.max_itemsets)
        try:
            return estimator.fit(transactions, run)
        except RequestError:  # too many; a build that took minutes shall not fail for that
            best = Itemsets(least, max_length=self.max_length, k=self.max_itemsets).fit(transactions, run)
            above = int(best.tree.support[best.tree.members].min()) + 1
            return replace(estimator, min_support=above).fit(transactions, run)

    def _chosen(self, found: MinedRules, few: Mask, customers: Counts) -> tuple[MinedRules, Floats, Floats]:
        """Rules that may be shown and tell what no more general one does, at the false discovery rate; p and q of each."""
        kept = found.take(~few[found.whole])
        kept = kept.take(worth_keeping(kept, "improvement"))
        kept = kept.take(worth_keeping(kept, "statistical", alpha=self.alpha))
        p = customer_p_values(kept, customers[kept.whole])
        q = benjamini_hochberg(p, found.tested)
        sure = q <= self.alpha
        return kept.take(sure), p[sure], q[sure]


@dataclass(frozen=True, eq=False)
class FoundRules:
    """What may be published: itemsets with all their subsets, and the rules found in them, the surest first.

    `withheld` counts the itemsets that would tell of few customers, `over_cap` the rules beyond the most that are kept.
    """

    itemsets: MinedItemsets
    rules: dy.DataFrame[Contract]
    withheld: int
    over_cap: int

    def account(self) -> dict[str, int]:
        """How many there are, and how many there are not."""
        return {
            "itemsets": len(self.itemsets),
            "rules": len(self.rules),
            "itemsets_withheld_because_they_would_tell_of_few_customers": self.withheld,
            "rules_over_the_cap": self.over_cap,
        }


def compact(mined: MinedItemsets) -> MinedItemsets:
    """The same itemsets with the names of no other items than stand in them; codes keep their order."""
    used, item = np.unique(mined.tree.item, return_inverse=True)
    tree = ItemsetTree(mined.tree.parent, item.astype(np.int32), mined.tree.support)
    return MinedItemsets(tree, mined.names.gather(used), mined.n_baskets, mined.min_count)
