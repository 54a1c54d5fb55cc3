"""One model of another library on the histories of a file: fit, rank everybody, tell the CPU seconds. Run by recommenders.py.

    PYTHON benchmarks/speed/recommender_peer.py implicit-cosine HISTORIES.npz RANKED.npz

The file holds `indptr`, `products` and `n`; what is written are ten products a customer, none of the own, and the seconds.
Reading the file and turning it into the library's own form are not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

K = 10
Rank = Callable[[], np.ndarray]
Fit = Callable[[], Rank]


def matrix(held: dict[str, np.ndarray]):
    """float32 0/1 [customers, products]."""
    from scipy.sparse import csr_matrix

    indptr, products = held["indptr"], held["products"]
    found = csr_matrix(
        (np.ones(len(products), dtype=np.float32), products.copy(), indptr.copy()), shape=(len(indptr) - 1, int(held["n"]))
    )
    found.sum_duplicates()
    found.data[:] = 1
    return found


def implicit(model, held: dict[str, np.ndarray]) -> Fit:
    """A model of implicit."""
    table = matrix(held)

    def fit() -> Rank:
        model.fit(table, show_progress=False)
        everybody = np.arange(table.shape[0])
        return lambda: model.recommend(everybody, table, N=K, filter_already_liked_items=True)[0]

    return fit


def rectools(model, held: dict[str, np.ndarray]) -> Fit:
    """A model of RecTools."""
    import pandas as pd
    from rectools.dataset import Dataset

    table = matrix(held).tocoo()
    frame = pd.DataFrame({"user_id": table.row, "item_id": table.col, "weight": 1.0, "datetime": pd.Timestamp("2020-01-01")})
    dataset = Dataset.construct(frame)

    def fit() -> Rank:
        model.fit(dataset)

        def rank() -> np.ndarray:
            users = np.arange(table.shape[0])
            found = model.recommend(users, dataset, k=K, filter_viewed=True)
            ranked = np.full((table.shape[0], K), -1)
            ranked[found["user_id"].to_numpy(), found["rank"].to_numpy() - 1] = found["item_id"].to_numpy()
            return ranked

        return rank

    return fit


def lenskit(scorer, held: dict[str, np.ndarray]) -> Fit:
    """A scorer of LensKit in its top-n pipeline, asked by its own batch runner."""
    import pandas as pd
    from lenskit.batch import recommend
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import topn_pipeline

    table = matrix(held).tocoo()
    dataset = from_interactions_df(pd.DataFrame({"user_id": table.row, "item_id": table.col}))

    def fit() -> Rank:
        pipeline = topn_pipeline(scorer, n=K)
        pipeline.train(dataset)

        def rank() -> np.ndarray:
            found = recommend(pipeline, np.arange(table.shape[0]), n=K, n_jobs=1)
            ranked = np.full((table.shape[0], K), -1)
            for key, items in found.items():
                ids = items.ids()
                ranked[int(key.user_id), : len(ids)] = ids
            return ranked

        return rank

    return fit


def chosen(name: str, held: dict[str, np.ndarray]) -> Fit:
    """The model by its name, with the hyperparameters that ours has."""
    library, _, model = name.partition("-")
    if library == "implicit":
        from implicit.als import AlternatingLeastSquares
        from implicit.nearest_neighbours import CosineRecommender

        made = {
            "cosine": lambda: CosineRecommender(K=200, num_threads=1),
            "als": lambda: AlternatingLeastSquares(  # confidence 10 of what was bought
                factors=64, regularization=0.01, alpha=10, iterations=15, num_threads=1, random_state=0
            ),
        }
        return implicit(made[model](), held)
    if library == "rectools":
        from implicit.nearest_neighbours import CosineRecommender
        from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, PopularModel

        made = {
            "popular": PopularModel,
            "ease": lambda: EASEModel(regularization=250, recommend_n_threads=1, recommend_use_gpu_ranking=False),
            "cosine": lambda: ImplicitItemKNNWrapperModel(CosineRecommender(K=200, num_threads=1)),
        }
        return rectools(made[model](), held)
    from lenskit.als import ImplicitMFScorer
    from lenskit.basic import PopScorer
    from lenskit.knn import EASEScorer, ItemKNNScorer

    made = {
        "popular": PopScorer,
        "cosine": lambda: ItemKNNScorer(max_nbrs=200, save_nbrs=200, feedback="implicit"),
        "ease": lambda: EASEScorer(regularization=250),
        "als": lambda: ImplicitMFScorer(  # 1 + weight is the confidence
            embedding_size=64, epochs=15, regularization=0.01, weight=9
        ),
    }
    return lenskit(made[model](), held)


def main(name: str, source: Path, target: Path) -> None:
    """Fit, rank, write."""
    with np.load(source) as file:
        held = dict(file)
    fit = chosen(name, held)
    begun = time.process_time()
    rank = fit()
    fitted = time.process_time()
    ranked = rank()
    np.savez(target, ranked=ranked, seconds=[fitted - begun, time.process_time() - fitted])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
