"""What the edges and verdicts say in Chinese."""

from __future__ import annotations

from math import inf
from typing import Final

from basketry.core.grammar import Choice, Clause, Grammar, Listing, Parts, Within

_EXPECTED: Final = "按热度和购物篮大小推算值的"
_INTERVAL: Choice = (Clause("（95%置信区间{adjusted_low}至{adjusted_high}）", (Within("adjusted_lift"),)),)
_CUSTOMERS: Choice = (Clause("，来自{customers}位顾客", (Within("baskets"),)),)
_COINCIDENCE: Choice = (
    Clause("；不大可能是巧合（q {q}）", (Within("q", high=0.05),)),
    Clause("；不能排除巧合（q {q}）"),
)
_STABILITY: Choice = (
    Clause("；前后两段时间强弱相当（稳定度{stability}）", (Within("stability", low=0.8),)),
    Clause("；其中一段时间偏弱（稳定度{stability}）", (Within("stability", low=0.5),)),
    Clause("；其中一段时间完全没有出现（稳定度{stability}）", (Within("stability", high=0),)),
    Clause("；其中一段时间明显偏弱（稳定度{stability}）"),
)
_TIMES: Choice = (
    Clause(f"，恰为{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", 1, 1),)),
    Clause(f"，是{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", low=1),)),
    Clause(f"，只有{_EXPECTED}{{adjusted_lift}}倍"),
    Clause("，仅按热度计算的提升度为{lift}"),
)
_BANDS: Final = ((0.8, "意思几乎相同"), (0.5, "意思相近"), (0.2, "只略有相近之处"), (-inf, "没有多少共同之处"))
_STRENGTH: Choice = (Clause("；未来几周一起购买的概率为{strength}"),)
_END: Choice = (Clause("。"),)
_EVIDENCE: Final = (_CUSTOMERS, _COINCIDENCE, _STABILITY, _END)


def _likeness(before: str) -> Choice:
    return tuple(Clause(f"{before}{words}（相似度{{similarity}}）", (Within("similarity", low),)) for low, words in _BANDS)


_TOGETHER: Choice = (
    Clause("在{antecedents}个有{A}的购物篮中，{baskets}个同时有{B}（{confidence}）"),
    Clause("{baskets}个购物篮同时有{A}和{B}（占有{A}的购物篮的{confidence}）"),
    Clause("{baskets}个购物篮同时有{A}和{B}"),
    Clause("有{A}的购物篮中，{confidence}同时有{B}"),
    Clause("同时有{A}和{B}的购物篮未作统计"),
)
_NEXT: Choice = (
    Clause("顾客买了{A}又再次下单的{antecedents}次中，有{baskets}次下一单买了{B}（{confidence}）"),
    Clause("顾客买了{A}之后，有{baskets}次下一单买了{B}（{confidence}）"),
    Clause("顾客买了{A}之后，有{baskets}次下一单买了{B}"),
    Clause("顾客买了{A}之后，下一单买{B}的占{confidence}"),
    Clause("顾客买了{A}之后下一单是否买{B}，未作统计"),
)
_SIMILAR: Choice = (*_likeness("{A}与{B}的商品文字"), Clause("{A}与{B}的商品文字未作比较"))
_RATE: Choice = (
    Clause(f"同篮购买的次数恰为{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", 1, 1),)),
    Clause(f"同篮购买的次数是{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", low=1),)),
    Clause(f"同篮购买的次数只有{_EXPECTED}{{adjusted_lift}}倍"),
)
_TRIPS: Choice = (
    Clause("；同一次买齐的倾向与分两次先后买相当，为{contrast}倍", (Within("contrast", 1, 1),)),
    Clause("；同一次买齐的倾向是分两次先后买的{contrast}倍", (Within("contrast", low=1),)),
    Clause("；同一次买齐的倾向只有分两次先后买的{contrast}倍"),
)
_TRIPS_INTERVAL: Choice = (Clause("（95%置信区间{contrast_low}至{contrast_high}）", (Within("contrast"),)),)
_BESIDES: Final = (_likeness("；商品文字"), _STRENGTH, _END)


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, language="zh")


KINDS: Final[dict[str, Grammar]] = {
    "bought_together": _say(_TOGETHER, _TIMES, _INTERVAL, *_EVIDENCE),
    "bought_next": _say(_NEXT, _TIMES, _INTERVAL, *_EVIDENCE),
    "similar": _say(_SIMILAR, _END),
}
VERDICTS: Final[dict[str, Grammar]] = {
    "complement": _say(
        (Clause("{A}与{B}适合搭配："),),
        (*_RATE, Clause("同篮购买比预期多")),
        _INTERVAL,
        _STABILITY,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
    "substitute": _say(
        (Clause("{A}与{B}可以互相替代"),),
        _likeness("：商品文字"),
        _TRIPS,
        _TRIPS_INTERVAL,
        (Clause("；"),),
        (*_RATE, Clause("同篮购买比预期少")),
        _INTERVAL,
        _STRENGTH,
        _END,
    ),
    "co_trip": _say(
        (Clause("{A}与{B}常在同一次购物中碰到一起，但尚不能说明更多"),),
        (
            Clause("：提升度为{lift}，计入购物篮大小后为{adjusted_lift}", (Within("adjusted_lift", low="lift"),)),
            Clause("：提升度{lift}，计入购物篮大小后降到{adjusted_lift}"),
            Clause("：计入购物篮大小后的提升度为{adjusted_lift}"),
            Clause("：未计入购物篮大小的提升度为{lift}"),
        ),
        _INTERVAL,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
    "unknown": _say(
        (Clause("现有证据还说明不了{A}与{B}的关系"),),
        (Clause("：{baskets}个购物篮同时有这两样"),),
        _TIMES,
        _INTERVAL,
        _CUSTOMERS,
        _COINCIDENCE,
        _TRIPS,
        _TRIPS_INTERVAL,
        *_BESIDES,
    ),
}

LISTING: Final = Listing("、", "和")
_BASKETS_WITH: Choice = (Clause("在{antecedent_baskets}个有{A}的购物篮中，"), Clause("有{A}的购物篮中，"))
_CUSTOMERS_WITH: Choice = (Clause("在{antecedent_customers}位买过{A}的顾客中，"), Clause("买过{A}的顾客中，"))
_CONFIDENT: Choice = (Clause("（95%置信区间{confidence_low}至{confidence_high}）", (Within("confidence"),)),)
_LIFT_INTERVAL: Choice = (Clause("（95%置信区间{lift_low}至{lift_high}）", (Within("lift"),)),)
_CHANCE: Choice = (
    Clause("；不大可能是巧合（p {p}；计入所有试过的规则，q {q}）", (Within("q", high=0.05),)),
    Clause("；不能排除巧合（p {p}；计入所有试过的规则，q {q}）"),
    *_COINCIDENCE,
    Clause("；若只试过这一条规则，则不大可能是巧合（p {p}）", (Within("p", high=0.05),)),
    Clause("；不能排除巧合（p {p}）"),
)


def _rule(whole: Choice, part: Choice, of: str, *evidence: Choice) -> Grammar:
    times = (
        Clause(f"：与{of}相当，为{{lift}}倍", (Within("lift", 1, 1),)),
        Clause(f"：是{of}的{{lift}}倍", (Within("lift", low=1),)),
        Clause(f"：只有{of}的{{lift}}倍"),
    )
    return Grammar((whole, part, _CONFIDENT, times, _LIFT_INTERVAL, *evidence, _CHANCE, _END), language="zh", listing=LISTING)


RULES: Final[dict[str, Grammar]] = {
    "holds": _rule(
        _BASKETS_WITH,
        (
            Clause("{baskets}个（{confidence}）同时有{B}"),
            Clause("{baskets}个同时有{B}"),
            Clause("{confidence}同时有{B}"),
            Clause("多少个同时有{B}，未作统计"),
        ),
        "全部购物篮中比例",
        _CUSTOMERS,
    ),
    "lacks": _rule(
        _BASKETS_WITH,
        (
            Clause("{baskets}个（{confidence}）{B?没有|没有同时具备}{B}"),
            Clause("{baskets}个{B?没有|没有同时具备}{B}"),
            Clause("{confidence}{B?没有|没有同时具备}{B}"),
            Clause("多少个{B?没有|没有同时具备}{B}，未作统计"),
        ),
        "全部购物篮中比例",
        _CUSTOMERS,
    ),
    "follows": _rule(
        _CUSTOMERS_WITH,
        (
            Clause("{customers}位（{confidence}）后来买了{B}"),
            Clause("{customers}位后来买了{B}"),
            Clause("{confidence}后来买了{B}"),
            Clause("多少位后来买了{B}，未作统计"),
        ),
        "全部顾客中比例",
    ),
}

SHARES: Final = Parts(
    "这一提升中，",
    Clause("{A}占{share}（因子{factor}）"),
    Clause("{A}占{share}（因子{factor}）"),
    "。",
    Listing("，", "，"),
    "zh",
)
FACTORS: Final = Parts("这一提升度是各部分之积：", Clause("{A}的{factor}"), Clause("{A}的{factor}"), "。", LISTING, "zh")
