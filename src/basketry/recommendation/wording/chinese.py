"""What reasons and profiles say in Chinese."""

from __future__ import annotations

from typing import Final

from basketry.core.grammar import Choice, Clause, Grammar, Listing, Within
from basketry.recommendation.wording.account import Account

LISTING: Final = Listing("、", "和")
_END: Choice = (Clause("。"),)
_BASKETS: Choice = (Clause("：最近{window}天有{baskets}单购买"), Clause("：至今有{baskets}单购买"), Clause("：最近{window}天"))
_OVER: Choice = (Clause("，共{events}次购买"),)


_ONE_REASON: Final = {
    "excluded": "被要求不显示",
    "hidden": "已隐藏，不向任何人显示",
    "sold_out": "已售罄",
    "never": "被店铺规则排除",
    "scene": "不属于此场景显示的商品",
    "filter": "不符合筛选条件",
    "dismissed": "不久前被您关闭",
    "in_history": "已在您的记录中，此场景只显示记录之外的商品",
    "apart": "与您记录中的商品同属一组，此场景只显示其他组",
    "unlike": "会替代您记录中的商品，而此场景只显示与之相配的",
    "capped": "让位于其他商品：列表中同组商品已达上限",
    "pinned": "被固定在此位置",
    "unfounded": "排在最后：您的记录和他人的购买都没有支持它的依据",
}


def _say(*choices: Choice) -> Grammar:
    return Grammar(choices, language="zh", listing=LISTING)


def _of(*choices: Choice) -> Grammar:
    """Of one title: a part must not take the next for its own."""
    return Grammar(choices, language="zh")


def _quarter(number: int, words: str) -> Clause:
    return Clause(f"多选同类商品中{words}的四分之一价位（4档中的第{{quarter}}档）", (Within("quarter", number, number),))


def _because(verb: str) -> Account:
    part = _of((Clause("{A}"),), (Clause("{times}"),), (Clause("（最近一次在{last}）"),))
    return Account(_of((Clause(f"推荐{{A}}，因为您{verb}"),)), part, _of((Clause("，占推荐依据的{share}"),), _END), LISTING)


ACCOUNTS: Final[dict[str, Account]] = {
    "bought": _because("买过"),
    "viewed": _because("看过"),
    "tastes": Account(_of((Clause("多买"),)), _of((Clause("{A}"),), (Clause("（{share}）"),)), _of(_OVER, _END), LISTING),
}
SENTENCES: Final[dict[str, Grammar]] = {
    "popular": _say((Clause("{A}很受欢迎"),), _BASKETS, _END),
    "popular_in": _say((Clause("{A}在{B}中很受欢迎"),), _BASKETS, _END),
    "goes_with": _say(
        (Clause("{A}与您购物篮中的{B}相配"),),
        (Clause("：在{antecedents}个有{B}的购物篮中，{baskets}个同时有{A}"), Clause("：{baskets}个购物篮同时有这两样")),
        _END,
    ),
    "similar": _say((Clause("{A}与您买过的{B}相近"),), (Clause("（相似度{similarity}）"),), _END),
    "without": _say(
        (Clause("如果没有{B}，{A}就不会排进前{first}名"), Clause("如果没有{B}，{A}就不会列出")),
        _END,
    ),
    "price": _say((_quarter(1, "最便宜"), _quarter(2, "较便宜"), _quarter(3, "较贵"), _quarter(4, "最贵")), _OVER, _END),
    "rhythm": _say(
        (Clause("大约每{gap}天来一次"),),
        (Clause("；{regularity}的来访间隔与此相差不超过一半"),),
        (Clause("；下次约在{due}"),),
        _END,
    ),
    "need": _say(
        (Clause("大约在{due}会再次需要{A}"),),
        (Clause("（{due_low}至{due_high}之间）"),),
        (Clause("：买过{times}"),),
        (Clause("，大约每{gap}天一次"),),
        (Clause("，最近一次在{last}"),),
        _END,
    ),
    "listed": _say(
        (Clause("{A}排在前{first}名中的第{place}位"),),
        (Clause("；仅按得分则在第{rank}位"),),
        _END,
    ),
    "unlisted": _say(
        (Clause("{A}没有排进前{first}名"),),
        (Clause("：按得分在{ranked}个商品中排第{rank}位"),),
        _END,
    ),
    **{claim: _say((Clause(f"{{A}}{words}。"),)) for claim, words in _ONE_REASON.items()},
}
