"""In the place of `mlxtend.frequent_patterns`: the same names and the same frames, for those who want only speed.

>>> from basketry.frequent_patterns import apriori, association_rules    # instead of: from mlxtend.frequent_patterns import ...

pandas is needed, as there. What differs, on purpose (docs/how-to/leave-mlxtend.md shows each):

- Itemsets come in one order whatever the algorithm is called: by length, then by columns, as mlxtend's `apriori` gives them.
- A support or confidence that just reaches its threshold is kept, where floating point may lose it.
- Sparse frames are never made dense, and integers, floats or objects of 0 and 1 are no slower than booleans, so no warning is
  given. `verbose` and `low_memory` are accepted and change nothing.
- Errors are those of basketry: a `ValueError` or `KeyError` where mlxtend raises one; also a `ValueError` where it raises
  `TypeError`.
"""

from basketry.frequent_patterns.itemsets import apriori, fpgrowth, fpmax, hmine
from basketry.frequent_patterns.rules import association_rules

__all__ = ["apriori", "association_rules", "fpgrowth", "fpmax", "hmine"]
