"""What the edges and verdicts say in Chinese."""

from __future__ import annotations

from math import inf
from typing import Final

from basketry.associations.wording.grammar import Choice, Clause, Grammar, Within

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
_SHARED: Choice = (Clause("；{baskets}个购物篮同时有这两样"),)

_MEETING: Final = {
    "bought_together": "同篮购买的次数",
    "bought_next": "下一单接着买的次数",
    "similar": "同篮购买的次数",
}
_BIG: Final = {
    "bought_together": "只是在大采购时碰到一起",
    "bought_next": "只是因为订单大才先后出现",
    "similar": "只是在大采购时碰到一起",
}
_SEEN: Final[dict[str, Choice]] = {
    "bought_together": (Clause("{baskets}个购物篮同时有这两样"), Clause("同篮购买的次数未作统计")),
    "bought_next": (Clause("有{baskets}次在下一单接着买"), Clause("先后购买的次数未作统计")),
    "similar": (Clause("{baskets}个购物篮同时有这两样"), Clause("同篮购买的次数未作统计")),
}


def _rate(meeting: str) -> Choice:
    return (
        Clause(f"{meeting}恰为{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", 1, 1),)),
        Clause(f"{meeting}是{_EXPECTED}{{adjusted_lift}}倍", (Within("adjusted_lift", low=1),)),
        Clause(f"{meeting}只有{_EXPECTED}{{adjusted_lift}}倍"),
        Clause(f"{meeting}是仅按热度推算值的{{lift}}倍"),
        Clause(f"{meeting}未作统计"),
    )


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, grouped=False)


def _complement(kind: str) -> Grammar:
    lead = Clause("{A}与{B}适合搭配：")
    return _say((lead,), _rate(_MEETING[kind]), _INTERVAL, _STABILITY, _likeness("；商品文字"), _STRENGTH, _END)


def _substitute(kind: str) -> Grammar:
    lead = "{A}与{B}可以互相替代：商品文字"
    texts = (*_likeness(lead), Clause(f"{lead}未作比较"))
    contrast = (Clause("，而", (Within("similarity"), Within("adjusted_lift", high=0.999))), Clause("；"))
    return _say(texts, contrast, _rate(_MEETING[kind]), _INTERVAL, _STRENGTH, _END)


def _co_trip(kind: str) -> Grammar:
    fall = (
        Clause("提升度为{lift}，计入购物篮大小后为{adjusted_lift}", (Within("adjusted_lift", low="lift"),)),
        Clause("提升度{lift}，计入购物篮大小后降到{adjusted_lift}"),
        Clause("计入购物篮大小后的提升度为{adjusted_lift}"),
        Clause("未计入购物篮大小的提升度为{lift}"),
        Clause("提升度未作计算"),
    )
    return _say((Clause(f"{{A}}与{{B}}{_BIG[kind]}："),), fall, _INTERVAL, _STRENGTH, _END)


def _unknown(kind: str) -> Grammar:
    lead = (Clause("{A}与{B}的关系证据不足，暂无定论："),)
    return _say(lead, _SEEN[kind], _TIMES, _INTERVAL, _CUSTOMERS, _COINCIDENCE, _likeness("；商品文字"), _STRENGTH, _END)


KINDS: Final[dict[str, Grammar]] = {
    "bought_together": _say(_TOGETHER, _TIMES, _INTERVAL, *_EVIDENCE),
    "bought_next": _say(_NEXT, _TIMES, _INTERVAL, *_EVIDENCE),
    "similar": _say(_SIMILAR, _SHARED, _TIMES, _INTERVAL, *_EVIDENCE),
}
VERDICTS: Final[dict[str, dict[str, Grammar]]] = {
    "complement": {kind: _complement(kind) for kind in KINDS},
    "substitute": {kind: _substitute(kind) for kind in KINDS},
    "co_trip": {kind: _co_trip(kind) for kind in KINDS},
    "unknown": {kind: _unknown(kind) for kind in KINDS},
}
