"""Gradient-boosted trees that order proposals: LightGBM learns them, the house's own kernel evaluates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import DataError, RequestError
from basketry.core.space import within
from basketry.kernels.forest import Forest

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Bools, Int64s
    from basketry.core.protocols import Run
    from basketry.recommendation.voices import Singles


@dataclass(frozen=True)
class Boosting:
    """LambdaMART: each tree follows the gradient of pairs of proposals, weighed by what swapping them does to nDCG.

    `rounds` trees of `leaves` leaves with at least `least` proposals each; pairs count of which one stands among the best
    `truncation`. There is no early stopping: nDCG of some hundred queries kept back stops as chance will (after 5 to 196 trees
    on one data set), while twice the trees that are needed do no harm. Sources: Burges, From RankNet to LambdaRank to
    LambdaMART (2010); Ke et al., LightGBM (2017).
    """

    rounds: int = within(150, 30, 1_000, "trees", log=True)
    leaves: int = within(15, 4, 63, "leaves of a tree", log=True)
    learning_rate: float = within(0.05, 0.01, 0.3, "what a tree counts", log=True)
    least: int = within(100, 10, 1_000, "proposals in a leaf at least", log=True)
    reg: float = within(1.0, 0.01, 100.0, "L2 of leaves", log=True)
    truncation: int = within(30, 10, 100, "places that count", log=True)

    def fit(self, x: Singles, relevant: Bools, indptr: Int64s, run: Run) -> npt.NDArray[np.uint8]:
        """LightGBM's own text of the trees, in UTF-8; queries without anything relevant teach nothing and are left out.

        Raises RequestError without package lightgbm, DataError with fewer than 10 queries that teach.
        """
        try:
            import lightgbm
        except ImportError as error:
            raise RequestError("a learned ranker needs package lightgbm", "pip install 'basketry[rank]'") from error
        teaches = np.flatnonzero(np.add.reduceat(np.append(relevant, False), indptr[:-1]) * (np.diff(indptr) > 0))
        if len(teaches) < 10:
            raise DataError(f"{len(teaches)} queries have something relevant among their proposals", "at least 10 are needed")
        rows, sizes = _rows(teaches, indptr)
        train = lightgbm.Dataset(x[rows], relevant[rows].astype(np.int8), group=sizes)
        booster = lightgbm.train(self._params(run), train, self.rounds)
        return np.frombuffer(booster.model_to_string().encode(), dtype=np.uint8)

    def _params(self, run: Run) -> dict[str, Any]:
        return {
            "objective": "lambdarank", "metric": "none", "num_leaves": self.leaves, "verbosity": -1,
            "learning_rate": self.learning_rate, "min_data_in_leaf": self.least, "lambda_l2": self.reg, "seed": run.seed,
            "lambdarank_truncation_level": self.truncation, "deterministic": True, "force_row_wise": True,
            "num_threads": run.threads,
        }  # fmt: skip


def _rows(queries: Int64s, indptr: Int64s) -> tuple[Int64s, Int64s]:
    """The proposals of some queries, and how many each has."""
    sizes = np.diff(indptr)[queries]
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.repeat(indptr[queries] - begins, sizes) + np.arange(sizes.sum()), sizes


def read_forest(text: npt.NDArray[np.uint8]) -> Forest:
    """The trees of LightGBM's text. Raises DataError for one with categorical or linear trees, or that is damaged."""
    try:
        header, *trees = text.tobytes().decode().split("\n\n\nend of trees")[0].split("\nTree=")
        head = _fields(header)
        columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _COLUMNS}
        for tree in trees:
            own = _fields(tree)
            if own.get("num_cat", "0") != "0" or own.get("is_linear", "0") != "0":
                raise DataError("the trees have categorical or linear splits", "train them on numbers alone")
            for name, kind in _COLUMNS.items():
                columns[name].append(np.array(own.get(name, "").split(), dtype=kind))
        splits = [len(one) for one in columns["split_feature"]]
        leaves = [len(one) for one in columns["leaf_value"]]
        flat = {name: np.concatenate([np.empty(0, dtype=kind), *columns[name]]) for name, kind in _COLUMNS.items()}
        decision = flat["decision_type"]
        missing = (decision >> 2) & 3  # 1: zero, 2: NaN
        return Forest(
            int(head["max_feature_idx"]) + 1,
            np.concatenate([[0], np.cumsum(splits)]).astype(np.int64),
            np.concatenate([[0], np.cumsum(leaves)]).astype(np.int64),
            flat["split_feature"],
            flat["threshold"],
            ((decision >> 1 & 1) | (missing == 2) * 2 | (missing == 1) * 4).astype(np.uint8),
            np.stack([flat["left_child"], flat["right_child"]], axis=1),
            flat["leaf_value"],
            flat["internal_count"],
            flat["leaf_count"],
        )
    except (KeyError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the text of the trees cannot be read ({error})", "train and publish the ranker again") from error


_COLUMNS: Final[dict[str, type[np.generic]]] = {
    "split_feature": np.int32, "threshold": np.float64, "decision_type": np.uint8, "left_child": np.int32,
    "right_child": np.int32, "internal_count": np.float64, "leaf_value": np.float64, "leaf_count": np.float64,
}  # fmt: skip


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
