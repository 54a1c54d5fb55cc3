"""A shop as a notebook holds it: the use cases as methods, as `basketry.open("myshop")` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from basketry.app.shop import Shop

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.adapt_request import AdaptRequest, AdaptResult
    from basketry.app.build import BuildRequest, BuildResult
    from basketry.app.compress import CompressRequest, CompressResult
    from basketry.app.encode import EncodeResult
    from basketry.app.explain import ExplainResult
    from basketry.app.ingest import IngestResult
    from basketry.app.profile import ProfileResult


class Notebook(Shop):
    """A shop to ask and to work on from Python; the command line has the operations of an operator too."""

    def ingest(self, frames: Mapping[str, object] | None = None, *, again: bool = False) -> IngestResult:
        """Read, clean and commit the sources of shop.toml, or `frames`: table name to a pandas, Polars or Arrow frame."""
        from basketry.app.ingest import Frame, IngestRequest, ingest

        given = tuple(Frame(table, frame) for table, frame in (frames or {}).items())
        return ingest(self, IngestRequest(again=again, frames=given))

    def build(self, request: BuildRequest | None = None) -> BuildResult:
        """Find, test, fuse, judge and publish the associations; see BuildRequest for what can be chosen."""
        from basketry.app.build import BuildRequest, build

        return build(self, request or BuildRequest())

    def associations(
        self, product: str, k: int = 10, *, kind: str = "", verdict: str = "", order: str = "verdict", language: str = "en"
    ) -> pl.DataFrame:
        """The k best edges of a product, by id or words in either language, each with its sentence."""
        from basketry.app.associations import AssociationsRequest, associations

        return associations(self, AssociationsRequest(product, k, kind, verdict, order, language)).edges

    def explain(
        self,
        product: str,
        other: str = "",
        language: str = "en",
        *,
        customer: str = "",
        products: str = "",
        scene: str = "home",
    ) -> ExplainResult:
        """All the evidence on one pair, or why a product is, or is not, on the list of a customer or beside `products`.

        Its figures are a frame, its sentences notes; see ExplainResult.
        """
        from basketry.app.explain import ExplainRequest, explain

        request = ExplainRequest(product, other, language, customer=customer, products=products, scene=scene)
        return explain(self, request)

    def profile(self, customer: str, language: str = "en") -> ProfileResult:
        """What a customer's own orders say of them: tastes, price band, rhythm, what they will need next."""
        from basketry.app.profile import ProfileRequest, profile

        return profile(self, ProfileRequest(customer, language=language))

    def neighbours(self, product: str, k: int = 10, *, filter: str = "", text: bool = False) -> pl.DataFrame:
        """The k products nearest in meaning to a product, or to any text; `filter` as department = GROCERY."""
        from basketry.app.neighbours import NeighboursRequest, neighbours

        return neighbours(self, NeighboursRequest(product, text, k, filter)).neighbours

    def encode(self, source: str = "", *, encoder: str = "universal", out: str = "") -> EncodeResult:
        """Vectors of the shop's products, a table of texts or a folder of images, kept in the cache and, with `out`, in a file.

        For vectors in memory: `basketry.encoders.load_encoder(name, run).encode(texts)`.
        """
        from basketry.app.encode import EncodeRequest, encode

        return encode(self, EncodeRequest(source, encoder, out=out))

    def adapt(self, request: AdaptRequest | None = None) -> AdaptResult:
        """Adapt an encoder to what goes together here; see AdaptRequest for what can be chosen."""
        from basketry.app.adapt import adapt
        from basketry.app.adapt_request import AdaptRequest

        return adapt(self, request or AdaptRequest())

    def compress(self, request: CompressRequest) -> CompressResult:
        """Make an encoder smaller and faster, measured beside itself; see CompressRequest for what can be chosen."""
        from basketry.app.compress import compress

        return compress(self, request)

    def encoders(self) -> pl.DataFrame:
        """The encoders that can be named: those of the install and those of the shop."""
        from basketry.app.models import ModelsRequest, models

        return models(self, ModelsRequest()).models

    def mine(
        self, min_support: int | float = 0.01, *, kind: str = "all", levels: Sequence[str] = (), min_customers: int = 20
    ) -> pl.DataFrame:
        """Itemsets of the shop's own baskets, in most of them first, of at least `min_customers` distinct customers.

        `levels`: which of department, category, subcategory and product to mine together; none: products alone. For baskets
        from elsewhere use `basketry.mine`.
        """
        from basketry.app.mine import EVERYTHING, MineRequest, mine

        named = ",".join(levels)
        request = MineRequest(min_support=repr(min_support), kind=kind, levels=named, k=EVERYTHING, min_customers=min_customers)
        return mine(self, request).itemsets

    def rules(
        self,
        min_support: int | float = 20,
        min_confidence: float = 0.2,
        *,
        where: str = "",
        redundancy: str = "none",
        order: str = "lift",
        measures: str = "",
        min_customers: int = 20,
    ) -> pl.DataFrame:
        """Rules of the shop's own baskets, best first by any measure, each with its sentence; `where` as lift>=1.2,q<=0.05.

        See RulesRequest and docs/explanation/rules.md. Their counts tell of no fewer than `min_customers` distinct customers.
        """
        from basketry.app.mine import EVERYTHING
        from basketry.app.rules import RulesRequest, rules

        request = RulesRequest(
            min_support=repr(min_support),
            min_confidence=min_confidence,
            where=where,
            redundancy=redundancy,
            order=order,
            measures=measures,
            k=EVERYTHING,
            min_customers=min_customers,
        )
        return rules(self, request).rules

    def compare_rules(
        self, before: str = "", after: str = "", *, min_support: int | float = 20, status: str = "", min_customers: int = 20
    ) -> pl.DataFrame:
        """Rules that emerged, vanished, grew stronger or weaker between two periods, as 2017-06-01/2017-08-31; default: halves.

        The surest change first; `status` as emerging,vanishing, default all but unchanged and unclear.
        """
        from basketry.app.compare_rules import CompareRulesRequest, compare_rules
        from basketry.app.mine import EVERYTHING

        request = CompareRulesRequest(
            before=before,
            after=after,
            min_support=repr(min_support),
            status=status,
            k=EVERYTHING,
            placebo=0,
            min_customers=min_customers,
        )
        return compare_rules(self, request).rules

    def sequences(
        self, min_support: int | float = 0.05, *, window_days: int = -1, max_length: int = 3, min_customers: int = 20
    ) -> pl.DataFrame:
        """What customers buy, and what after it: patterns of at least two baskets, those of most customers first.

        `min_support` counts customers, or is a share of them; `window_days` is the most from the first basket to the last.
        """
        from basketry.app.mine import EVERYTHING
        from basketry.app.sequences import SequencesRequest, sequences

        request = SequencesRequest(
            min_support=repr(min_support),
            window_days=window_days,
            max_length=max_length,
            k=EVERYTHING,
            min_customers=min_customers,
        )
        return sequences(self, request).patterns

    def clusters(self, method: str = "kmeans", k: int = 20) -> pl.DataFrame:
        """Groups of products that mean alike, by their telling words."""
        from basketry.app.clusters import ClustersRequest, clusters

        return clusters(self, ClustersRequest(method, k=k)).rows

    def report(self, out: str = "") -> Path:
        """Draw the current release as one page; returns where it was written."""
        from basketry.app.report import ReportRequest, report

        return Path(report(self, ReportRequest(out)).wrote)
