"""A published graph, opened for questions: products by id or by words in either language, and the edges of one product."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from basketry.core.errors import NotFound, ReleaseError, RequestError
from basketry.encoders.models import AUTO, encoder_of
from basketry.encoders.state import CARD, FILES, read_state

if TYPE_CHECKING:
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.core.protocols import Encoder, Vectors
    from basketry.store.releases import Release
    from basketry.vectors.index import Allowed, VectorIndex

WORDS_FOUND: Final = 8  # products listed when words fit several
LEAST_MEANING: Final = 0.3  # similarity of a query to a text below which it is no answer


@dataclass(frozen=True, eq=False)
class Found:
    """Products that a search text fits, best first: product_id, title, customers, and `how` they were found."""

    products: pl.DataFrame
    how: str


@dataclass(frozen=True, eq=False)
class GraphReader:
    """Reads one release; every file is proved by its checksum before it is opened."""

    release: Release

    @cached_property
    def products(self) -> pl.DataFrame:
        """The catalogue with `customers` (null below the privacy floor), `text` and `document`."""
        return pl.read_parquet(self.release.path("products.parquet"))

    @cached_property
    def clusters(self) -> pl.DataFrame:
        """Rows of Clusters."""
        return pl.read_parquet(self.release.path("clusters.parquet"))

    @cached_property
    def associations(self) -> pl.DataFrame:
        """All rows of Associations; a hundred bytes each."""
        return pl.read_parquet(self.release.path("associations.parquet"))

    @cached_property
    def rules(self) -> pl.DataFrame | None:
        """Rows of Rules; None in a release that was built without them."""
        name = "rules.parquet"
        return pl.read_parquet(self.release.path(name)) if name in self.release.manifest.files else None

    @cached_property
    def itemsets(self) -> MinedItemsets | None:
        """The itemsets of the release, each with all its subsets; None in a release that was built without them."""
        from basketry.associations.mining.itemsets import MinedItemsets
        from basketry.store.arrays import read_arrays

        name = "itemsets.safetensors"
        return MinedItemsets.from_state(read_arrays(self.release.path(name))) if name in self.release.manifest.files else None

    @cached_property
    def index(self) -> VectorIndex:
        """Vectors of the distinct texts by their number, `document`, mapped from the file; with the index it was built with."""
        import numpy as np

        from basketry.core.protocols import Run
        from basketry.store.arrays import read_arrays
        from basketry.vectors.index import VectorIndex
        from basketry.vectors.indexing import VectorIndexing

        arrays = read_arrays(self.release.path("vectors.safetensors"))
        name = "neighbours.safetensors"
        if name in self.release.manifest.files:
            return VectorIndex.from_state({**arrays, **read_arrays(self.release.path(name))})
        return VectorIndexing(way="exact").fit(np.asarray(arrays["vectors"], dtype=np.float32), Run())

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the vectors: the release's own where it holds one, else the one named in its manifest.

        Raises ReleaseError if that one is no longer what it was.
        """
        from basketry.core.protocols import Run
        from basketry.encoders.registry import load_encoder

        manifest = self.release.manifest
        if CARD in manifest.files:
            for name in FILES:
                if name in manifest.files:
                    self.release.path(name)
            runtime = str(manifest.facts["encoder"]).partition("/")[2]
            found = encoder_of(read_state(self.release.folder), Run(), runtime or AUTO)
        else:
            found = load_encoder(str(manifest.fitted["encoder"]), Run())
        if found.name != manifest.facts["encoder"]:
            raise ReleaseError(
                f"release {self.release.id} was built with encoder {manifest.facts['encoder']}, and this one is {found.name}",
                "build again, or put the former model back",
            )
        return found

    def edges(self, product_id: str) -> pl.DataFrame:
        """Rows of Associations that begin at one product; reads only the part of the file that holds them."""
        path = self.release.path("associations.parquet")
        return pl.scan_parquet(path).filter(pl.col("product_id") == product_id).collect()

    def near(self, query: Vectors, k: int, allowed: Allowed | None = None) -> pl.DataFrame:
        """The `k` texts nearest to one vector [1, dim]: `document` and its `score`, a cosine; best first."""
        found = self.index.search(query, k, allowed)
        return pl.DataFrame({"document": found.ids[0], "score": found.cosine[0]}, schema_overrides={"document": pl.Int32})

    def find(self, text: str, k: int = WORDS_FOUND) -> Found:
        """Products by id, else by words, else by meaning, which finds those described in another language than the question.

        Raises NotFound if nothing comes near.
        """
        return self.named(text, k) or self._by_meaning(text, k)

    def named(self, text: str, k: int = WORDS_FOUND) -> Found | None:
        """Products by id, else by words all of which stand in their text: that very title first, then popular ones; or none."""
        words = text.strip().lower().split()
        if not words:
            raise RequestError("an empty text finds nothing", "give a product id, or words from its title")
        catalogue = self.products
        by_id = catalogue.filter(pl.col("product_id") == text.strip())
        if len(by_id):
            return Found(by_id, "id")
        fits = pl.all_horizontal(pl.col("text").str.contains(_beginning(word)) for word in words)
        same = pl.col("title").str.to_lowercase() == " ".join(words)
        by_words = catalogue.filter(fits).sort(same, "customers", descending=True, nulls_last=True)
        return Found(by_words.head(k), "words") if len(by_words) else None

    def _by_meaning(self, text: str, k: int) -> Found:
        found = (
            self.near(self.encoder.encode([text]), k)
            .filter(pl.col("score") >= LEAST_MEANING)
            .join(self.products, on="document", maintain_order="left")
            .sort("score", "customers", descending=True, nulls_last=True, maintain_order=True)
        )
        if found.is_empty():
            raise NotFound(f"no product fits {text!r}", "try its id, or other words from its title")
        return Found(found.drop("score").head(k), "meaning")


def _beginning(word: str) -> str:
    """A pattern for texts in which a word begins so; in Chinese, where words are not set apart, for texts that hold it.

    What a user types is never a pattern itself.
    """
    return (r"\b" if word[0].isascii() and word[0].isalnum() else "") + re.escape(word)
