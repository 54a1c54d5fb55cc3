"""What a shop wants of its lists beyond relevance: limits, preferences, places it has sold, and room to learn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from basketry.core.errors import RequestError
from basketry.recommendation.filter_text import parsed

BOOST_LIMITS: Final = (0.5, 2.0)


@dataclass(frozen=True)
class Boost:
    """Products that pass the filter `where` weigh `factor` times as much; below 1 is a damp."""

    where: str
    factor: float

    def __post_init__(self) -> None:
        parsed(self.where)
        low, high = BOOST_LIMITS
        if not low <= self.factor <= high:
            raise RequestError(f"a boost of {self.factor}", f"stay within {low} and {high}: beyond, pin or exclude")


@dataclass(frozen=True)
class Cap:
    """At most `most` products of one value of `column`, as category or brand, in a list; unknown values are not capped."""

    column: str
    most: int

    def __post_init__(self) -> None:
        if self.most < 1:
            raise RequestError(f"at most {self.most} products of one {self.column}", "give 1 or more, or exclude by `never`")


@dataclass(frozen=True)
class Pin:
    """The product stands at `position`, from 1, of every list that may hold it."""

    position: int
    product: str

    def __post_init__(self) -> None:
        if self.position < 1:
            raise RequestError(f"{self.product!r} is pinned to position {self.position}", "positions start at 1")


@dataclass(frozen=True)
class Calibration:
    """How much a list shall mirror the history's shares by `column`: `weight` in [0, 1), 0 not at all (Steck 2018)."""

    weight: float = 0.0
    column: str = "category"

    def __post_init__(self) -> None:
        if not 0 <= self.weight < 1:
            raise RequestError(f"a calibration of weight {self.weight}", "give 0 or more, below 1")


@dataclass(frozen=True)
class Exploration:
    """With probability `share` a place shows, instead of its product, one of the next `among` in line, each as likely.

    The draw is a hash of `seed` and the key of the query, so the same question has the same answer.
    """

    share: float = 0.0
    among: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.share < 1 and self.among >= 1):
            raise RequestError(f"exploration of {self.share} among {self.among}", "share lies in [0, 1), among starts at 1")


@dataclass(frozen=True)
class Policy:
    """Rules of a list, in the order they act.

    - Never shown: `excluded` product ids, what passes the filter `never`, hidden and sold-out products; to a customer who
      waved a product away, that product for `dismissed_days` (0: it may come back at once).
    - Weights: relevance is multiplied by the boosts that fit and by 1 + `margin_weight` (2 s - 1), where s is the share of
      products with a smaller margin (half of equal ones), both together kept within BOOST_LIMITS; then by
      min(1, stock / `low_stock`).
    - Choice, place by place: the product of greatest (1 - w) ((1 - d) relevance - d nearest) - w KL, where d is `diversity`
      in [0, 1), nearest its greatest cosine to a product above it (MMR: Carbonell and Goldstein 1998), and w and KL are of
      `calibration`. `caps` hold always; `pins` stand unless forbidden or capped.
    - `exploration` last.

    A policy is checked alone when it is made (RequestError for what is out of range), and against a catalogue by `shelf_of`.
    """

    excluded: tuple[str, ...] = ()
    never: str = ""
    dismissed_days: int = 90
    boosts: tuple[Boost, ...] = ()
    margin_weight: float = 0.0
    low_stock: float = 0.0
    diversity: float = 0.0
    calibration: Calibration = field(default_factory=Calibration)
    caps: tuple[Cap, ...] = ()
    pins: tuple[Pin, ...] = ()
    exploration: Exploration = field(default_factory=Exploration)

    def __post_init__(self) -> None:
        parsed(self.never)
        if not (0 <= self.margin_weight < 1 and 0 <= self.diversity < 1 and self.low_stock >= 0):
            raise RequestError(
                f"margin_weight {self.margin_weight}, diversity {self.diversity}, low_stock {self.low_stock}",
                "margin_weight and diversity lie in [0, 1), low_stock from 0",
            )
        if self.dismissed_days < 0:
            raise RequestError(f"dismissed_days is {self.dismissed_days}", "give 0 or more")
        for name, given in (
            ("position", [str(pin.position) for pin in self.pins]),
            ("product", [pin.product for pin in self.pins]),
            ("capped column", [cap.column for cap in self.caps]),
        ):
            twice = sorted({each for each in given if given.count(each) > 1})
            if twice:
                raise RequestError(f"{name} {twice[0]} stands twice in the policy", "name it once")

    def depth(self, k: int) -> int:
        """How many products a ranker should give, so that there is a choice: the same for any k up to 10."""
        orders = self.boosts or self.margin_weight or self.low_stock or self.diversity or self.calibration.weight or self.caps
        explored = self.exploration.among if self.exploration.share else 0
        return (max(10 * k, 100) if orders else k + len(self.pins)) + explored

    def under(self, shop: Policy) -> Policy:
        """Of this policy of a scene and the shop's: every limit of both, and where both have a preference, the shop's.

        Boosts and pins are those of both; a position or column that both name is the shop's.
        """
        columns = {cap.column for cap in shop.caps}
        places = {pin.position for pin in shop.pins} | {pin.product for pin in shop.pins}
        return replace(
            shop,
            excluded=tuple(dict.fromkeys(shop.excluded + self.excluded)),
            never=" or ".join(f"({each})" for each in dict.fromkeys((shop.never, self.never)) if each.strip()),
            boosts=shop.boosts + tuple(boost for boost in self.boosts if boost not in shop.boosts),
            margin_weight=shop.margin_weight or self.margin_weight,
            low_stock=shop.low_stock or self.low_stock,
            diversity=shop.diversity or self.diversity,
            calibration=shop.calibration if shop.calibration.weight else self.calibration,
            caps=shop.caps + tuple(cap for cap in self.caps if cap.column not in columns),
            pins=shop.pins + tuple(pin for pin in self.pins if not {pin.position, pin.product} & places),
            exploration=shop.exploration if shop.exploration.share else self.exploration,
        )
