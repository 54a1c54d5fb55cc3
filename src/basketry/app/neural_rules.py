"""Neural rules: what a network says of antecedents that are too rare to count, judged by baskets that came later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from basketry.app.tracking import TRACK_HELP, TRACKERS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.parted_baskets import PartedBaskets
    from basketry.app.shop import Shop
    from basketry.core.protocols import Run
    from basketry.recommendation.neural_rules import BasketNetwork, NeuralAssociations
    from basketry.recommendation.neural_rules_exam import Told, Way

    Ints = npt.NDArray[np.int64]

BODIES: Final = ("mlp", "transformer", "dbn")
NETWORK, COUNTING, NEITHER = "network", "counting", "not told apart"
_DRAWN: Final = 20_000  # pairs looked at
_MOST: Final = 2_000  # of them those that are told of
_EACH: Final = 3  # rules of an antecedent
_ASKED: Final = 1_000  # later antecedents of each size
_FEW: Final = 50  # questions below which nothing is said
_FLOOR: Final = 20  # customers below which nothing may be


@dataclass(frozen=True)
class NeuralRulesRequest:
    """Of which baskets, by which network, and which rules to show."""

    source: str = field(
        default="",
        metadata={
            "local": True,
            "help": "File of baskets, the oldest first; default: the shop's own as ingested.",
            "argument": True,
        },
    )
    products: str = field(
        default="", metadata={"help": "Ids of one or two products: only what these foretell; default: pairs that are rare."}
    )
    body: str = field(default="mlp", metadata={"help": f"The network: {', '.join(BODIES)}."})
    network: str = field(
        default="", metadata={"help": "Hyperparameters of the network, as dim=32,examples=20000,epochs=3,learning_rate=0.003."}
    )
    min_count: int = field(
        default=20,
        metadata={"help": "Pairs in fewer earlier baskets are too rare to count; products of fewer customers are left out."},
    )
    min_confidence: float = field(default=0.2, metadata={"help": "Least confidence that the network gives a rule."})
    later: float = field(default=0.2, metadata={"help": "Share of the baskets, the last, that judge and teach nothing."})
    k: int = field(default=10, metadata={"help": "How many rules to show."})
    track: str = field(default=TRACKERS[0], metadata={"local": True, "help": TRACK_HELP})
    seed: int = field(default=0, metadata={"help": "Seed of every random draw."})


@dataclass(frozen=True)
class NeuralRulesResult:
    """How many baskets taught and judged; the rules; and both ways of telling on later baskets, by how rare A was.

    `rules`: the network's support, confidence with its 95% interval, and lift; `better` is who told such antecedents better.
    `exam`: `found`, the share of the ten likeliest products that lay in the basket; `loss`, the log loss; `difference`, the
    network's loss less that of counting, with its 95% interval.
    """

    earlier: int
    later: int
    products: int
    rules: pl.DataFrame
    exam: pl.DataFrame
    notes: tuple[str, ...]


def neural_rules(shop: Shop, request: NeuralRulesRequest) -> NeuralRulesResult:
    """Find rules whose antecedents are too rare to count, by a network, and say whether counting tells such ones better."""
    from basketry.app.parted_baskets import part
    from basketry.app.transactions import load_transactions
    from basketry.core.protocols import Run
    from basketry.recommendation.neural_rules import counted

    estimator = _estimator(shop, request)
    baskets = part(load_transactions(shop, request.source), request.later, request.min_count)
    own = (shop.folder / "shop.toml").is_file()
    run = Run(seed=request.seed, threads=shop.settings.threads if own else 2)
    asked = _named(baskets, request.products) if request.products else None
    model = _trained(shop, request, estimator, baskets, run)
    exam = _exam(_told(model, baskets, run), baskets, request.min_count)
    if asked is None:
        asked = _rare(baskets, request)
    found = model.rules(asked, _EACH if not request.products else request.k, request.min_confidence)
    held = int(counted(asked[:1], baskets.earlier)[0][0]) if len(asked) else 0
    better = next((row["better"] for row in exam.to_dicts() if row["low"] <= held <= row["high"]), NEITHER)
    return NeuralRulesResult(
        baskets.earlier.shape[0],
        baskets.later.shape[0],
        len(baskets.names),
        _frame(found, baskets, better, request.k),
        exam.drop("low", "high"),
        _notes(exam, request, better, held),
    )


def _estimator(shop: Shop, request: NeuralRulesRequest) -> NeuralAssociations:
    """What was asked for. Raises RequestError for what cannot be, before any work."""
    from dataclasses import fields, replace

    from basketry.app.associations import checked
    from basketry.app.tracking import tracker_of
    from basketry.core.errors import RequestError
    from basketry.core.spelled import spelled
    from basketry.recommendation.neural_rules import NeuralAssociations
    from basketry.training.plan import TrainingPlan

    body = checked(request.body, BODIES, "body")
    if not (0 < request.later < 1 and request.min_count >= 1 and 0 <= request.min_confidence <= 1 and request.k >= 1):
        raise RequestError(
            f"later {request.later}, min_count {request.min_count}, min_confidence {request.min_confidence}, k {request.k}",
            "later lies between 0 and 1, a confidence from 0 to 1, the others start at 1",
        )
    if not 0 <= request.seed < 2**32:
        raise RequestError(f"seed is {request.seed}", "a seed is from 0 to 4294967295")
    tracker_of(shop, request.track, "asked")
    plan = {one.name: one for one in fields(TrainingPlan)}
    known = {one.name: one for one in fields(NeuralAssociations) if one.name not in ("body", "most", "plan")}
    values = spelled(request.network, known | plan, f"network {body}")
    made = NeuralAssociations(body, **{name: value for name, value in values.items() if name in known})
    return replace(made, plan=replace(made.plan, **{name: value for name, value in values.items() if name in plan}))


def _trained(
    shop: Shop, request: NeuralRulesRequest, estimator: NeuralAssociations, baskets: PartedBaskets, run: Run
) -> BasketNetwork:
    """The network; asked again of the same baskets it is not trained again, as its last checkpoint is kept."""
    import hashlib

    from basketry.app.networks import kept_in
    from basketry.app.tracking import tracker_of
    from basketry.store import durable

    digest = hashlib.sha256(f"{estimator} {run.seed} {baskets.earlier.shape}".encode())
    for array in (baskets.earlier.indptr, baskets.earlier.indices):
        digest.update(array.tobytes())
    name = digest.hexdigest()[:12]
    place = kept_in(shop, "neural-rules")
    for other in place.glob("*"):
        if other.name != name:
            durable.remove_folder(other)
    tracker = tracker_of(shop, request.track, f"neural-rules/{name}")
    return estimator.fit(baskets.earlier, run, folder=place / name, tracker=tracker)


def _named(baskets: PartedBaskets, products: str) -> Ints:
    """The antecedent that is named, int64 [1, 2]."""
    import numpy as np

    from basketry.core.errors import NotFound, RequestError

    code = {name: number for number, name in enumerate(baskets.names)}
    names = list(dict.fromkeys(each.strip() for each in products.split(",") if each.strip()))
    unknown = [name for name in names if name not in code]
    if unknown:
        raise NotFound(
            f"no product {unknown[0]!r} is bought often enough to be learned of", "give ids as the baskets have them"
        )
    if not 1 <= len(names) <= 2:
        raise RequestError(f"{len(names)} products are named", "an antecedent is of one or two, apart by a comma")
    codes = sorted(code[name] for name in names)
    return np.array([[*codes, -1][:2]], dtype=np.int64)


def _rare(baskets: PartedBaskets, request: NeuralRulesRequest) -> Ints:
    """Pairs in one earlier basket and more, and fewer than can be counted, as often drawn as they occur: int64 [n, 2]."""
    import numpy as np

    from basketry.recommendation.neural_rules import counted
    from basketry.training.baskets import Antecedents

    drawn = Antecedents.drawn(baskets.earlier, 2, _DRAWN, request.seed).antecedent
    pairs = np.unique(drawn[drawn[:, 1] >= 0], axis=0)
    parts = np.array_split(pairs, max(len(pairs) // _ASKED, 1))
    held = np.concatenate([counted(part, baskets.earlier)[0] for part in parts])
    rare = pairs[held < request.min_count]
    chosen = np.random.default_rng(request.seed).permutation(len(rare))[:_MOST]
    return np.asarray(rare[np.sort(chosen)], dtype=np.int64)


def _told(model: BasketNetwork, baskets: PartedBaskets, run: Run) -> Told:
    """Network and counting, asked for antecedents of the later baskets."""
    from basketry.recommendation.backing_off import BackingOff
    from basketry.recommendation.neural_rules_exam import asked_later
    from basketry.training.baskets import Antecedents

    counting = BackingOff().fit(baskets.earlier)
    drawn = Antecedents.drawn(baskets.later, 2, _ASKED, seed=run.seed)
    ways: dict[str, Way] = {NETWORK: model.confidence, COUNTING: counting.confidence}
    return asked_later(ways, baskets.earlier, baskets.later, drawn)


def _exam(told: Told, baskets: PartedBaskets, rare: int) -> pl.DataFrame:
    """One row for each count of earlier baskets with A; none of fewer than 50 questions, or of fewer than 20 customers."""
    import numpy as np
    import polars as pl

    rows: list[dict[str, Any]] = []
    for low, high in ((0, 0), (1, rare - 1), (rare, 5 * rare - 1), (5 * rare, 2**62)):
        asked = (told.held >= low) & (told.held <= high)
        if asked.sum() < _FEW or len(np.unique(baskets.customers[told.basket[asked]])) < _FLOOR:
            continue
        gap = told.gap(told.loss, NETWORK, COUNTING, asked)
        means = {
            f"{name}_{way}": float(figures[way][asked].mean())
            for name, figures in (("found", told.found), ("loss", told.loss))
            for way in (NETWORK, COUNTING)
        }
        rows.append(
            {"baskets_with_a": _words(low, high), "low": low, "high": high, "asked": int(asked.sum()), **means}
            | {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
            | {"better": NETWORK if gap.high < 0 else COUNTING if gap.low > 0 else NEITHER}
        )
    return pl.DataFrame(rows, schema=None if rows else {"baskets_with_a": pl.String, "low": pl.Int64, "high": pl.Int64})


def _words(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}" if high < 2**62 else f"{low} and more"


def _frame(found: Any, baskets: PartedBaskets, better: str, k: int) -> pl.DataFrame:
    """The k rules whose lift is most certain: that of the lower end of the confidence."""
    import numpy as np
    import polars as pl

    share = np.asarray(baskets.earlier.mean(axis=0), dtype=np.float64).ravel()[found.consequent]
    best = np.argsort(-found.low / share, kind="stable")[:k]
    names = baskets.names
    return pl.DataFrame(
        {
            "antecedent": [" + ".join(names[code] for code in found.antecedent[row] if code >= 0) for row in best],
            "consequent": [names[code] for code in found.consequent[best]],
            "support": found.support[best],
            "confidence": found.confidence[best],
            "low": found.low[best],
            "high": found.high[best],
            "lift": (found.confidence / share)[best],
            "better": [better] * len(best),
        },
        schema_overrides={"antecedent": pl.String, "consequent": pl.String, "better": pl.String},
    )


def _notes(exam: pl.DataFrame, request: NeuralRulesRequest, better: str, held: int) -> tuple[str, ...]:
    """Who is to be believed, in words."""
    told = {
        NETWORK: "the network told such antecedents better than counting did, on baskets that came later",
        COUNTING: "counting that backs off to single products told such antecedents better: basketry rules is the better guide",
        NEITHER: "on later baskets network and counting cannot be told apart for such antecedents",
    }
    notes = [told[better]]
    if request.products and held >= request.min_count:
        notes.append(
            f"{request.min_count} earlier baskets and more hold these products: they can be counted, by basketry rules"
        )
    if not len(exam):
        notes.append(f"fewer than {_FEW} questions, or customers, of each kind: nothing can be said of later baskets")
    return (
        *notes,
        "intervals are as wide as the last earlier baskets made them, on the whole; for the rarest pairs often too narrow",
    )
