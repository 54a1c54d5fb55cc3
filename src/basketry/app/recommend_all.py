"""Recommend to many at once: a list for every customer's letter, into a file."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.recommend import MOST, NAMES

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.recommend import Asked
    from basketry.app.shop import Shop
    from basketry.core.figures import Language
    from basketry.core.histories import Bools, Histories, Queries

_SIZE: Final = 500  # customers at once: limits of their own take a byte a product each


@dataclass(frozen=True)
class RecommendAllRequest:
    """For whom, in which scene, and where the lists go."""

    out: str = field(
        metadata={"local": True, "help": "File to write a row a customer and product to: .csv or .parquet.", "argument": True}
    )
    customers: str = field(
        default="",
        metadata={
            "local": True,
            "help": "File of customers, the shop's own id on each line; default: all known, by pseudonym.",
        },
    )
    scene: str = field(default="email", metadata={"help": "What is asked; a scene about a customer, as home or next_basket."})
    k: int = field(default=10, metadata={"help": f"How many products a customer, at most {MOST}."})
    filter: str = field(default="", metadata={"help": "Only products that pass, as in recommend."})
    hide: str = field(default="", metadata={"help": "Product ids that must not be shown, apart by commas."})
    language: str = field(default="en", metadata={"help": "Language of the reasons: en or zh."})
    engine: str = field(
        default="", metadata={"local": True, "help": "Where SQL runs: duckdb, or spark[:MASTER]; default: shop.toml's."}
    )


@dataclass(frozen=True)
class RecommendAllResult:
    """How many lists were written, how many of them to customers of whom nothing is known, and which part gave how much."""

    wrote: str
    release: str
    customers: int
    strangers: int
    links: pl.DataFrame
    notes: tuple[str, ...]


def recommend_all(shop: Shop, request: RecommendAllRequest) -> RecommendAllResult:
    """Write a list for each of many customers, with the reasons: for letters, or to be served by another system."""
    from pathlib import Path

    import polars as pl

    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.outputs import check_output
    from basketry.app.recommend import RecommendRequest, notes_on, understood
    from basketry.core.spreadsheet import harmless
    from basketry.core.telemetry import span
    from basketry.recommendation.scenes import SCENES
    from basketry.store import durable

    check_output(request.out, "write lists", ".csv", ".parquet")
    language = LANGUAGES[checked(request.language, tuple(LANGUAGES), "language")]
    checked(request.scene, tuple(name for name in NAMES if SCENES[name].about == "customer"), "scene")
    one = RecommendRequest(scene=request.scene, k=request.k, filter=request.filter, hide=request.hide, engine=request.engine)
    asked = understood(shop, one)
    names, queries, away = _everybody(shop, request, asked)
    frames: list[pl.DataFrame] = []
    withheld: dict[str, None] = {}
    with span("recommend", total=len(names), unit="customers") as progress:
        for first in range(0, len(names), _SIZE):
            some = names[first : first + _SIZE]
            frame, told = _lists(asked, queries, first, some, away, (request.k, language))
            frames.append(frame)
            withheld |= dict.fromkeys(told)
            progress.advance(len(some))
    lists = pl.concat(frames)
    with durable.writing(Path(request.out)) as aside:
        if request.out.endswith(".csv"):
            harmless(lists).write_csv(aside)
        else:
            lists.write_parquet(aside)
    return RecommendAllResult(
        wrote=request.out,
        release=asked.reader.graph.release.id,
        customers=len(names),
        strangers=int((queries.histories.lengths == 0).sum()),
        links=lists.group_by("from").len("products").sort("products", descending=True),
        notes=(*notes_on(asked.reader.graph, asked.stage, queries)[:1], *withheld),
    )


def _everybody(shop: Shop, request: RecommendAllRequest, asked: Asked) -> tuple[list[str], Queries, pl.DataFrame]:
    """Names as they are written, a question each, and what was waved away, with the row of the customer who did."""
    import numpy as np
    import polars as pl

    from basketry.core.histories import Queries
    from basketry.core.tables import Dismissals
    from basketry.data.pseudonyms import pseudonym
    from basketry.recommendation.reading import read_named
    from basketry.store.key import load_or_create_key

    as_of = asked.reader.graph.release.manifest.as_of
    with shop.dataset(engine=request.engine) as everything:
        histories, rows = read_named(everything.before(as_of), len(asked.reader.facts))
        dismissals = everything.query(Dismissals, "dismissals", {"customer_id": ""})
    if request.customers:
        names = _ids(request.customers)
        key = load_or_create_key(shop.folder)
        known = [pseudonym(key, name) for name in names]
    else:
        names = known = list(rows)
    place = np.array([rows.get(each, len(histories)) for each in known], dtype=np.int64)
    chosen = _and_nobody(histories).select(place)
    today = int((as_of.date() - dt.date(1970, 1, 1)).days)
    days = np.full(len(names), max(today, int(chosen.days.max(initial=0))), dtype=np.int32)
    away = dismissals.join(pl.DataFrame({"customer_id": known}).with_row_index("row"), on="customer_id")
    return names, Queries(chosen, days), away


def _ids(path: str) -> list[str]:
    """The lines of a file, each once, in their order."""
    from pathlib import Path

    from basketry.core.errors import RequestError, SourceMissing

    if not Path(path).is_file():
        raise SourceMissing(f"there is no file {path}", "name a text file with a customer's id on each line")
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    found = list(dict.fromkeys(line for line in lines if line))
    if not found:
        raise RequestError(f"{path} names no customer", "write the shop's own id of a customer on each line")
    return found


def _and_nobody(histories: Histories) -> Histories:
    """The same with one more customer, who has done nothing."""
    import numpy as np

    from basketry.core.histories import Histories

    return Histories(
        np.append(histories.indptr, histories.indptr[-1]),
        histories.products,
        histories.days,
        histories.visits,
        histories.n_products,
    )


def _lists(
    asked: Asked, queries: Queries, first: int, names: list[str], away: pl.DataFrame, how: tuple[int, Language]
) -> tuple[pl.DataFrame, list[str]]:
    """The lists of some customers as rows, and what the notes say of their reasons."""
    import numpy as np
    import polars as pl

    from basketry.app.recommend import reasons_of

    k, language = how
    stage, reader = asked.stage, asked.reader
    part = queries.select(np.arange(first, first + len(names)))
    answer = stage.answer(part, k, asked.only, names, _resting(asked, part, away, first))
    reasons, told = reasons_of(reader, asked.scene, stage, part, answer, language)
    row, rank = np.nonzero(answer.rankings.products >= 0)
    frame = pl.DataFrame(
        {
            "customer": [names[each] for each in row.tolist()],
            "rank": (rank + 1).astype(np.uint32),
            "product": answer.rankings.products[row, rank].astype(np.uint32),
            "score": answer.rankings.scores[row, rank],
            "from": [answer.links[each] for each in answer.link[row, rank].tolist()],
            "because": pl.Series([reasons[r][c] for r, c in zip(row.tolist(), rank.tolist(), strict=True)], dtype=pl.String),
            "propensity": answer.shaped.propensity[row, rank],
        }
    )
    known = reader.graph.products.select("product_id", "title").with_row_index("product")
    columns = ("customer", "rank", "product_id", "title", "score", "from", "because", "propensity")
    return frame.join(known, on="product", how="left", maintain_order="left").select(columns), told


def _resting(asked: Asked, queries: Queries, away: pl.DataFrame, first: int) -> Bools | None:
    """What these customers waved away a short while ago; None where nobody did."""
    import polars as pl

    from basketry.recommendation.feedback import resting

    n = len(queries)
    own = away.filter(pl.col("row").is_between(first, first + n - 1))
    if own.is_empty():
        return None
    customers = [""] * n
    for row, customer in own.select("row", "customer_id").unique().iter_rows():
        customers[row - first] = customer
    return resting(own.drop("row"), asked.reader.facts, customers, queries.days, asked.stage.shelf.policy.dismissed_days)
