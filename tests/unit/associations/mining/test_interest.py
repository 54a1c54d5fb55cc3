from __future__ import annotations

from fractions import Fraction
from math import comb, e, inf, isnan, log, log2, log10, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.associations.contingency import Contingency
from basketry.associations.mining.context import IN_CONTEXT
from basketry.associations.mining.interest import ALIASES, INTEREST
from basketry.associations.mining.rules import canonical
from basketry.associations.mining.sources import SOURCES

ARULES = [
    "addedValue",
    "boost",
    "casualConfidence",
    "casualSupport",
    "centeredConfidence",
    "certainty",
    "chiSquared",
    "collectiveStrength",
    "confidence",
    "confirmedConfidence",
    "conviction",
    "cosine",
    "count",
    "counterexample",
    "coverage",
    "doc",
    "fishersExactTest",
    "gini",
    "hyperConfidence",
    "hyperLift",
    "imbalance",
    "implicationIndex",
    "importance",
    "improvement",
    "jaccard",
    "jMeasure",
    "kappa",
    "kulczynski",
    "lambda",
    "laplace",
    "leastContradiction",
    "lerman",
    "leverage",
    "LIC",
    "lift",
    "maxConfidence",
    "mutualInformation",
    "oddsRatio",
    "phi",
    "ralambondrainy",
    "relativeRisk",
    "RHSSupport",
    "RLD",
    "rulePowerFactor",
    "sebag",
    "stdLift",
    "support",
    "varyingLiaison",
    "yuleQ",
    "yuleY",
]


ROUNDED = ("p", "hyper_confidence", "mutual_information", "lerman")  # to the last digits only


def exact_tail(k, x, y, n):
    """P(at least k) of the hypergeometric distribution."""
    return Fraction(sum(comb(x, j) * comb(n - x, y - j) for j in range(k, min(x, y) + 1)), comb(n, y))


def of(name, xy, x, y, n):
    return float(INTEREST[name](*(np.array([count]) for count in (xy, x, y)), n)[0])


@st.composite
def tables(draw, most=2**31):
    n = draw(st.integers(1, most))
    x, y = draw(st.integers(1, n)), draw(st.integers(1, n))
    return draw(st.integers(max(0, x + y - n), min(x, y))), x, y, n


@st.composite
def inner_tables(draw):
    """No cell is empty."""
    xy, x_alone, y_alone, neither = (draw(st.integers(1, 10**4)) for _ in range(4))
    return xy, xy + x_alone, xy + y_alone, xy + x_alone + y_alone + neither


def near(a, b, tolerance=1e-9):
    return a == b or abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def test_the_table_40_20_15_25_by_hand():
    """Of 100 baskets 40 hold X and Y, 20 only X, 15 only Y, 25 neither: P(X) = .6, P(Y) = .55, leverage .4 - .33 = .07."""
    by_hand = {
        "baskets": 40,
        "support": 0.4,
        "coverage": 0.6,
        "prevalence": 0.55,
        "confidence": 2 / 3,
        "confidence_back": 8 / 11,
        "specificity": 5 / 8,
        "lift": 40 / 33,
        "leverage": 0.07,
        "conviction": 1.35,
        "zhang": 0.07 / 0.16,
        "cosine": 0.4 / sqrt(0.33),
        "jaccard": 8 / 15,
        "kulczynski": 23 / 33,
        "imbalance": 1 / 15,
        "joint_ratio": 8 / 23,
        "max_confidence": 8 / 11,
        "all_confidence": 2 / 3,
        "added_value": 7 / 60,
        "certainty": 7 / 27,
        "loevinger": 7 / 27,
        "confidence_difference": 2 / 3 - 3 / 8,
        "confirmed_confidence": 1 / 3,
        "causal_support": 0.65,
        "causal_confidence": (2 / 3 + 5 / 9) / 2,
        "counterexample": 0.5,
        "least_contradiction": 4 / 11,
        "ralambondrainy": 0.2,
        "sebag": 2,
        "odd_multiplier": 0.4 * 0.45 / (0.55 * 0.2),
        "laplace": 41 / 62,
        "importance": log10((41 / 62) / (16 / 42)),
        "rule_power_factor": 0.8 / 3,
        "varying_liaison": 7 / 33,
        "klosgen": sqrt(0.4) * 7 / 60,
        "odds_ratio": 10 / 3,
        "yule_q": 7 / 13,
        "yule_y": (sqrt(10 / 3) - 1) / (sqrt(10 / 3) + 1),
        "relative_risk": 16 / 9,
        "phi": 0.07 / sqrt(0.6 * 0.4 * 0.55 * 0.45),
        "kappa": (0.65 - 0.51) / 0.49,
        "collective_strength": 0.65 / 0.51 * 0.49 / 0.35,
        "lambda": (0.4 + 0.25 - 0.55) / 0.45,
        "gini": 0.6 * (4 / 9 + 1 / 9) + 0.4 * (9 / 64 + 25 / 64) - 0.55**2 - 0.45**2,
        "j_measure": 0.4 * log(2 / 3 / 0.55) + 0.2 * log(1 / 3 / 0.45),
        "mutual_information": (0.4 * log(40 / 33) + 0.2 * log(20 / 27) + 0.15 * log(15 / 22) + 0.25 * log(25 / 18))
        / -(0.6 * log(0.6) + 0.4 * log(0.4)),
        "information_gain": log2(40 / 33),
        "one_way_support": 2 / 3 * log2(40 / 33),
        "two_way_support": 0.4 * log2(40 / 33),
        "linkage_disequilibrium": 0.07 / 0.22,
        "lerman": 7 / sqrt(33),
        "implication_index": -7 / sqrt(27),
        "chi_squared": 7**2 * (1 / 33 + 1 / 27 + 1 / 22 + 1 / 18),
        "p": float(exact_tail(40, 60, 55, 100)),
        "hyper_confidence": float(1 - exact_tail(40, 60, 55, 100)),
        "hyper_lift": 40 / 39,
    }
    assert exact_tail(40, 60, 55, 100) <= Fraction(1, 100) < exact_tail(39, 60, 55, 100), "so 39 is the 0.99 quantile"
    assert by_hand.keys() == INTEREST.keys()
    for name, value in by_hand.items():
        assert of(name, 40, 60, 55, 100) == pytest.approx(value, rel=1e-12, abs=1e-15), name


def test_tea_and_coffee():
    """Brin, Motwani & Silverstein 1997: of 100, 25 buy tea, 90 coffee, 20 both: 80% confidence, yet tea speaks against it."""
    tea = {name: of(name, 20, 25, 90, 100) for name in INTEREST}
    assert tea["confidence"] == 0.8
    assert round(tea["lift"], 2) == 0.89
    assert tea["conviction"] == pytest.approx(0.5)
    assert tea["phi"] == pytest.approx(-0.025 / sqrt(0.25 * 0.75 * 0.9 * 0.1))
    assert tea["certainty"] == pytest.approx(-0.1 / 0.9) and tea["loevinger"] == pytest.approx(-1)
    assert tea["zhang"] < 0 and tea["leverage"] < 0 and tea["odds_ratio"] < 1 and tea["implication_index"] > 0


def test_a_lady_tasting_tea():
    """Fisher 1935: eight cups, four with milk first; all four named right has chance 1/70, three 17/70."""
    assert of("p", 4, 4, 4, 8) == pytest.approx(1 / 70)
    assert of("p", 3, 4, 4, 8) == pytest.approx(17 / 70)


def test_ten_tables_numbered_by_their_phi():
    """Tan, Kumar & Srivastava 2004, table 2: E1 to E10 stand in the order of phi; by odds ratio E2 leads, E8 is last."""
    cells = [
        (8123, 83, 424, 1370),
        (8330, 2, 622, 1046),
        (9481, 94, 127, 298),
        (3954, 3080, 5, 2961),
        (2886, 1363, 1320, 4431),
        (1500, 2000, 500, 6000),
        (4000, 2000, 1000, 3000),
        (4000, 2000, 2000, 2000),
        (1720, 7121, 5, 1154),
        (61, 2483, 4, 7452),
    ]
    assert {sum(each) for each in cells} == {10_000}
    xy, x_alone, y_alone, _ = np.array(cells).T
    phi, odds = (INTEREST[name](xy, xy + x_alone, xy + y_alone, 10_000) for name in ("phi", "odds_ratio"))
    assert (np.diff(phi) < 0).all()
    assert (odds.argmax(), odds.argmin()) == (1, 7)


@settings(deadline=None)
@given(tables())
def test_never_nan_and_within_range(table):
    for name, measure in INTEREST.items():
        if name in ("p", "hyper_confidence", "hyper_lift") and table[3] > 10_000:
            continue
        value = of(name, *table)
        least, most = measure.range
        assert not isnan(value) and least - 1e-12 <= value <= most + 1e-12, (name, value)


@settings(deadline=None)
@given(tables(5000))
def test_symmetric_measures_do_not_care_for_the_order(table):
    xy, x, y, n = table
    for name, measure in INTEREST.items():
        if measure.symmetric:
            assert of(name, xy, x, y, n) == of(name, xy, y, x, n) or name in ROUNDED, name
            assert near(of(name, xy, x, y, n), of(name, xy, y, x, n)), name


def test_measures_with_a_direction_have_one():
    for name, measure in INTEREST.items():
        assert measure.symmetric == near(of(name, 40, 60, 45, 100), of(name, 40, 45, 60, 100)), name


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_independence_is_neutral(p, q, data):
    """With n = p q, i q baskets of X, j p of Y and i j of both, P(XY) = P(X) P(Y) exactly, also where a side is everything."""
    i, j = data.draw(st.integers(1, p)), data.draw(st.integers(1, q))
    for name, measure in INTEREST.items():
        value = of(name, i * j, i * q, j * p, p * q)
        if name == "conviction" and j == q:
            assert value == inf
        elif measure.neutral is not None:
            assert abs(value - measure.neutral) < 1e-12, name


@settings(deadline=None)
@given(inner_tables())
def test_short_forms_equal_the_definitions(table):
    xy, x, y, n = table
    a, b, c, d = xy / n, (x - xy) / n, (y - xy) / n, (n - x - y + xy) / n
    px, py = x / n, y / n
    chance = px * py + (1 - px) * (1 - py)
    cells = ((a, px, py), (b, px, 1 - py), (c, 1 - px, py), (d, 1 - px, 1 - py))
    odds = a * d / (b * c)
    entropy = min(-(q * log(q) + (1 - q) * log(1 - q)) for q in (px, py))
    defined = {
        "gini": px * ((a / px) ** 2 + (b / px) ** 2)
        + (1 - px) * ((c / (1 - px)) ** 2 + (d / (1 - px)) ** 2)
        - py**2
        - (1 - py) ** 2,
        "kappa": (a + d - chance) / (1 - chance),
        "collective_strength": (a + d) / chance * (1 - chance) / (b + c),
        "chi_squared": n * sum((cell - r * s) ** 2 / (r * s) for cell, r, s in cells),
        "mutual_information": sum(cell * log(cell / (r * s)) for cell, r, s in cells) / entropy,
        "j_measure": a * log(a / px / py) + b * log(b / px / (1 - py)),
        "confidence_difference": a / px - c / (1 - px),
        "relative_risk": (a / px) / (c / (1 - px)),
        "loevinger": 1 - 1 / of("conviction", *table),
        "odds_ratio": odds,
        "yule_q": (odds - 1) / (odds + 1),
        "yule_y": (sqrt(odds) - 1) / (sqrt(odds) + 1),
        "lambda": (max(a, b) + max(c, d) - max(py, 1 - py)) / (1 - max(py, 1 - py)),
        "implication_index": sqrt(n) * (b - px * (1 - py)) / sqrt(px * (1 - py)),
        "lerman": sqrt(n) * (a - px * py) / sqrt(px * py),
        "certainty": (a / px - py) / ((1 - py) if a / px > py else py),
        "importance": log10((xy + 1) / (x + 2)) - log10((y - xy + 1) / (n - x + 2)),
        "varying_liaison": of("lift", *table) - 1,
    }
    for name, value in defined.items():
        assert near(of(name, *table), value, 1e-7), name


@settings(deadline=None)
@given(tables(60))
def test_the_quantile_of_hyper_lift(table):
    xy, x, y, n = table
    quantile = next(q for q in range(min(x, y) + 1) if 1 - exact_tail(q + 1, x, y, n) >= Fraction(99, 100))
    least = max(0, x + y - n)
    assert quantile >= least
    wanted = xy / quantile if quantile else (inf if xy else 0.0)
    assert of("hyper_lift", xy, x, y, n) == wanted


def test_limits_at_the_edges():
    never_wrong = {name: of(name, 5, 5, 8, 10) for name in INTEREST}
    assert {name for name, value in never_wrong.items() if value == inf} == {
        "conviction",
        "sebag",
        "odd_multiplier",
        "odds_ratio",
    }
    assert of("relative_risk", 5, 5, 5, 10) == inf
    assert of("collective_strength", 5, 5, 5, 10) == inf
    never_met = {name: of(name, 0, 5, 3, 10) for name in INTEREST}
    assert {name for name, value in never_met.items() if value == -inf} == {"counterexample", "information_gain"}
    assert never_met["one_way_support"] == never_met["two_way_support"] == 0
    every_basket = {name: of(name, 4, 4, 10, 10) for name in INTEREST}
    assert every_basket["specificity"] == 0 and every_basket["causal_confidence"] == 1
    assert every_basket["odds_ratio"] == every_basket["odd_multiplier"] == every_basket["relative_risk"] == 1
    assert of("specificity", 4, 10, 4, 10) == 1, "nobody is without X"


def test_the_bounds_are_reached():
    assert of("j_measure", 368, 368, 368, 1000) == pytest.approx(1 / e, rel=1e-5)
    assert of("two_way_support", 368, 368, 368, 1000) == pytest.approx(log2(e) / e, rel=1e-5)
    assert of("gini", 5, 5, 5, 10) == 0.5
    assert of("leverage", 5, 5, 5, 10) == 0.25


def test_every_measure_of_arules_is_here():
    def snake(name):
        return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)

    other = {"LIC": "boost", "RLD": "rld", "RHSSupport": "rhs_support", "stdLift": "standardised_lift"}
    known = {canonical(other.get(name, snake(name))) for name in ARULES}
    assert len(ARULES) == 50 and len(known) == 48, "centered confidence is added value, the lift increase is boost"


def test_names_sources_and_words():
    assert not set(INTEREST) & set(IN_CONTEXT) and not set(ALIASES) & {*INTEREST, *IN_CONTEXT}
    assert set(ALIASES.values()) <= {*INTEREST, *IN_CONTEXT}
    assert {each.source for each in (*INTEREST.values(), *IN_CONTEXT.values())} == set(SOURCES)
    for name, measure in INTEREST.items():
        least, most = measure.range
        assert name.isidentifier() and least < most and measure.formula
        assert measure.neutral is None or least <= measure.neutral <= most


@pytest.mark.parametrize(
    "counts", [(-1, 2, 2, 5), (3, 2, 4, 5), (0, 0, 1, 5), (0, 3, 3, 5), (1, 6, 1, 5), (1, 1, 1, 2**31 + 1)]
)
def test_impossible_counts_are_refused(counts):
    *three, n = counts
    with pytest.raises(ValueError, match="must hold for every pair"):
        Contingency.of(*(np.array([count]) for count in three), n)


@settings(deadline=None)
@given(tables())
def test_the_cells_add_up(table):
    xy, x, y, n = table
    t = Contingency.of(*(np.array([count]) for count in (xy, x, y)), n)
    assert t.xy + t.x_alone + t.y_alone + t.neither == n
    assert t.surplus == n * xy - x * y == int(t.xy[0]) * int(t.neither[0]) - int(t.x_alone[0]) * int(t.y_alone[0])
    assert t.either == n - t.neither
