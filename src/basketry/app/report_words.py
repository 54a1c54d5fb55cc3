"""Every word of the report page that is not data, in English and in Chinese."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("What goes with what", "什么与什么相配"),
    "lead": (
        "{pairs} pairs of products judged. {complements} truly go together, by the evidence; "
        "{substitutes} compete for the same place in the basket.",
        "共判断 {pairs} 对商品：其中 {complements} 对有证据表明确实相配，{substitutes} 对在争夺购物篮里的同一个位置。",
    ),
    "lead.empty": ("This release holds no associations yet.", "此版本尚无关联。"),
    "release": ("Release", "版本"),
    "as_of": ("Knows the shop up to", "数据截至"),
    "created": ("Built", "构建于"),
    "skip": ("Skip to the picture", "跳到关联图"),
    "language": ("Language", "语言"),
    "theme": ("Light or dark", "明暗主题"),
    "figure.products": ("products", "商品"),
    "figure.order_lines": ("order lines kept", "保留的订单行"),
    "figure.baskets": ("baskets", "购物篮"),
    "figure.customers": ("customers", "顾客"),
    "figure.edges": ("edges in the graph", "图中的边"),
    "edges": ("edges", "条边"),
    "kind.bought_together": ("bought together", "同篮购买"),
    "kind.bought_next": ("bought next", "随后购买"),
    "kind.similar": ("alike in words", "文字相似"),
    "verdict": ("Verdict", "判断"),
    "verdict.complement": ("complement", "互补"),
    "verdict.substitute": ("substitute", "替代"),
    "verdict.co_trip": ("same trip only", "仅同行"),
    "verdict.unknown": ("unknown", "未知"),
    "means.complement": ("the evidence says they go together", "证据表明两者相配"),
    "means.substitute": ("alike, and one takes the other's place", "相似，一个代替另一个"),
    "means.co_trip": ("meet in big baskets, no more", "只是在大购物篮里相遇"),
    "means.unknown": ("not enough evidence to say", "证据不足，不下结论"),
    "graph.heading": ("The strongest hubs, and what they bring along", "最强的枢纽商品，以及它们带动的商品"),
    "graph.intro": (
        "Each dot is a product, larger where more customers buy it; each line a pair, thicker where stronger. Hubs are chosen "
        "by what they bring along from other categories. Point at a product or a line, or use the arrow keys, to read why.",
        "每个圆点是一种商品，买的顾客越多越大；每条线是一对商品，越粗越强。枢纽按其带动的其他品类商品选出。"
        "用鼠标指向圆点或线，或用方向键移动，即可读到理由。",
    ),
    "graph.label": (
        "Association graph. Arrow keys move between products, Enter keeps one, Escape lets go.",
        "关联图。方向键在商品间移动，回车选定，Esc 取消。",
    ),
    "graph.empty": ("No pair is strong enough to draw.", "没有足够强的商品对可画。"),
    "graph.hubs": ("Start with a hub", "从枢纽商品开始"),
    "graph.lines": ("Lines", "线"),
    "graph.dots": ("Dots", "圆点"),
    "department.other": ("other", "其他"),
    "search": ("Find a product", "查找商品"),
    "search.hint": ("name or id", "名称或编号"),
    "search.found": ("in the picture: {drawn}, in the list: {listed}", "图中 {drawn} 个，列表中 {listed} 行"),
    "panel.customers": ("{n} customers", "{n} 位顾客"),
    "panel.close": ("Back to the hubs", "返回枢纽列表"),
    "table.heading": ("The strongest associations, with reasons", "最强的关联及其理由"),
    "table.intro": (
        "The strongest pairs of each verdict (complements across categories first, substitutes by likeness), no product more "
        "than {each} times. Strength is the calibrated probability of being bought together in the next weeks.",
        "每种判断中最强的商品对（互补品以跨品类者优先，替代品则取最相似者），每种商品最多出现 {each} 次。"
        "强度是今后几周同篮购买的校准概率。",
    ),
    "table.all": ("all", "全部"),
    "table.pair": ("Pair and reason", "商品对与理由"),
    "table.strength": ("Strength", "强度"),
    "table.lift": ("Lift, adjusted", "校正提升度"),
    "table.customers": ("Customers", "顾客数"),
    "table.none": ("No row matches.", "没有匹配的行。"),
    "lift.heading": ("Most of raw lift is the size of the basket", "原始提升度大半来自购物篮的大小"),
    "lift.plain": ("Lift, raw and adjusted for basket size", "提升度：原始值与按篮子大小校正后的值"),
    "lift.note": (
        "Raw lift puts {raw_share} of {pairs} counted pairs above 1, with a median of {raw}. Measured against what the sizes "
        "of the baskets alone would bring, the median is {adjusted} and {adjusted_share} stay above 1.",
        "按原始提升度，{pairs} 对商品中有 {raw_share} 高于 1，中位数为 {raw}。若与购物篮大小本身所能带来的相比，中位数为 "
        "{adjusted}，仍有 {adjusted_share} 高于 1。",
    ),
    "lift.moral": (
        "A full trolley holds a bit of everything: that is why lift alone is no verdict.",
        "满满一车里什么都有一点：所以单凭提升度不能下判断。",
    ),
    "lift.axis": ("lift (log scale); 1 = chance", "提升度（对数轴）；1 = 随机"),
    "lift.ends": ("the end bins hold everything beyond", "两端的柱包含更远的值"),
    "lift.raw": ("raw", "原始"),
    "lift.adjusted": ("adjusted", "校正后"),
    "lift.median": ("median {value}", "中位数 {value}"),
    "lift.empty": ("No pair was counted in baskets.", "没有在购物篮中计数的商品对。"),
    "scatter.heading": ("Where words and behaviour agree, and where not", "文字与行为：何处一致，何处不一致"),
    "scatter.note": (
        "Each dot is a pair: how alike the two texts are, against how much more often they meet than chance. {shown} of "
        "{pairs} pairs, the same number of each verdict where there are as many.",
        "每个点是一对商品：横轴为文字相似度，纵轴为同篮相遇超出随机的倍数。共 {pairs} 对，显示 {shown} 对，每种判断尽量同数。",
    ),
    "scatter.x": ("similarity of the texts", "文字相似度"),
    "scatter.y": ("adjusted lift (log)", "校正提升度（对数）"),
    "scatter.different_together": ("different, together", "不同而同购"),
    "scatter.alike_together": ("alike, together", "相似且同购"),
    "scatter.alike_apart": ("alike, apart", "相似不同购"),
    "scatter.empty": ("No pair has both a similarity and a lift.", "没有同时具备相似度和提升度的商品对。"),
    "edges.heading": ("Edges by kind, and what they are worth", "各类边及其判断"),
    "edges.note": ("Directed edges of each kind, split by verdict.", "各类有向边，按判断分段。"),
    "mined.title": ("Rules of the basket", "购物篮规则"),
    "mined.heading": ("What leads to what: rules of several products", "什么带来什么：多商品规则"),
    "mined.intro": (
        "The {shown} rules whose lift is most certain, of {of}; those between products of one kind come last. While others "
        "wait, no consequent stands more than twelve times, and half ask for several products; no set of products stands more "
        "than twice. Point at anything in a picture, or use the arrow keys, and the sentence says what was counted. A rule "
        "tells what is bought together, not what causes what.",
        "共 {of} 条规则，显示提升度最确定的 {shown} 条，同类商品之间的排在最后：只要还有别的规则可选，同一结果不超过十二次，"
        "前提只有一种商品的不超过一半；同一组商品不超过两次。"
        "用鼠标指向图中任何一处，或用方向键移动，即可读到所依据的计数。规则说明什么一起买，不说明因果。",
    ),
    "mined.empty": (
        "This release holds no rules: no set of products stands in enough baskets, or none were asked for.",
        "此版本没有规则：没有商品组合出现在足够多的购物篮中，或构建时未要求规则。",
    ),
    "mined.rule": ("Rule and reason", "规则与理由"),
    "mined.baskets": ("Baskets", "购物篮数"),
    "mined.confidence": ("Confidence", "置信度"),
    "mined.lift": ("Lift", "提升度"),
    "mined.certain": ("Lift, at least", "提升度下限"),
    "mined.more": ("{n} more rules", "另有 {n} 条规则"),
    "mined.hint": (
        "Point at a dot, a line or a name: its rules light up in every picture, and stand here in words. Click to keep them.",
        "指向圆点、线条或名称：相关规则在各图中同时亮起，并在此以文字说明。点击可保留。",
    ),
    "mined.close": ("Let go", "取消选择"),
    "mined.rest": ("{n} more, in the table below", "另有 {n} 条，见下表"),
    "mined.matrix": ("Matrix: antecedents that do alike, against consequents", "矩阵：作用相近的前提与结果"),
    "mined.matrix_label": (
        "Matrix of rules. Rows are groups of antecedents, columns consequents. Arrow keys move, Enter keeps, Escape lets go.",
        "规则矩阵。行为前提分组，列为结果。方向键移动，回车选定，Esc 取消。",
    ),
    "mined.matrix_note": (
        "A row is a group of antecedents that lift the same consequents by as much; a dot is larger with more "
        "baskets, and has the colour of their lift. Most rules lead to {title}: {n} of those shown.",
        "每行是一组对相同结果提升相近的前提；圆点越大购物篮越多，颜色表示提升度。"
        "通向 {title} 的规则最多，在所示规则中占 {n} 条。",
    ),
    "mined.network": ("Network: products, and the rules between them", "网络：商品及其间的规则"),
    "mined.network_label": (
        "Network of products and rules. Arrow keys move, Enter keeps, Escape lets go.",
        "商品与规则的网络。方向键移动，回车选定，Esc 取消。",
    ),
    "mined.network_note": (
        "Rings are products, dots are rules: lines run from what a rule asks for to the dot, arrows to what it promises. The "
        "best rules that find room. In most of the rules shown on this page: {title}, {n} times.",
        "圆环是商品，圆点是规则：线从规则的前提连到圆点，箭头指向结果。图中为放得下的最佳规则。"
        "本页所示规则中出现最多的是 {title}，共 {n} 次。",
    ),
    "mined.parallel": ("Lines: from the basket to what comes along", "平行坐标：从篮中之物到随之而来之物"),
    "mined.parallel_label": (
        "Rules in parallel coordinates. Arrow keys move, Enter keeps, Escape lets go.",
        "规则的平行坐标图。方向键移动，回车选定，Esc 取消。",
    ),
    "mined.parallel_note": (
        "Each line is a rule: it passes through every product it asks for, and ends at what it promises. Thicker with more "
        "baskets. The best rules that find room.",
        "每条线是一条规则：依次经过它要求的各种商品，止于它的结果。购物篮越多线越粗。图中为放得下的最佳规则。",
    ),
    "mined.asks": ("in the basket", "篮中已有"),
    "mined.promises": ("comes along", "随之而来"),
    "mined.scatter": ("Scatter: how often, and how surely", "散点：多常见，多可靠"),
    "mined.scatter_label": (
        "Rules by support and confidence. Arrow keys move, Enter keeps, Escape lets go.",
        "规则的支持度与置信度。方向键移动，回车选定，Esc 取消。",
    ),
    "mined.scatter_note": (
        "Each dot is a rule: the share of all baskets it rests on, against how often it holds where it applies.",
        "每个点是一条规则：横轴为它所依据的购物篮占全部的比例，纵轴为前提成立时结果出现的比例。",
    ),
    "mined.support_axis": ("support: share of all baskets (log scale)", "支持度：占全部购物篮的比例（对数轴）"),
    "mined.footer": ("One file, no network: made by Basketry.", "单一文件，无需联网：由 Basketry 生成。"),
    "ingest.heading": ("What was read, kept, repaired and set aside", "读入、保留、修复与隔离"),
    "ingest.note": (
        "Nothing is dropped in silence: rows in = kept + set aside, to the row. Each row set aside names the rule it broke.",
        "没有一行被悄悄丢弃：读入 = 保留 + 隔离，逐行相符；每一隔离行都写明所违反的规则。",
    ),
    "ingest.rows_in": ("read", "读入"),
    "ingest.kept": ("kept", "保留"),
    "ingest.quarantined": ("set aside", "隔离"),
    "ingest.repaired": ("repaired", "已修复"),
    "ingest.balanced": ("adds up", "账目相符"),
    "ingest.unbalanced": ("does not add up", "账目不符"),
    "ingest.money": (
        "money: {money_in} read, {money_kept} kept, {money_netted} netted, {money_quarantined} set aside",
        "金额：读入 {money_in}，保留 {money_kept}，冲销 {money_netted}，隔离 {money_quarantined}",
    ),
    "ingest.rules": ("By rule", "按规则"),
    "ingest.clean": ("Not a single row had to be set aside or repaired.", "没有一行需要隔离或修复。"),
    "verb.repair": ("repaired", "已修复"),
    "verb.quarantine": ("set aside", "隔离"),
    "verb.flag": ("marked, kept", "标记并保留"),
    "rule.malformed": ("another number of fields than the header", "字段数与表头不符"),
    "rule.duplicate": ("the same line again", "重复行"),
    "rule.already_known": ("known from another source", "已由其他来源读入"),
    "rule.orphan": ("product not in the catalogue", "商品不在目录中"),
    "rule.not_a_product": ("not a product", "不是商品"),
    "rule.units_not_positive": ("units zero or negative", "数量为零或负"),
    "rule.amount_not_positive": ("amount zero or negative", "金额为零或负"),
    "rule.discount_negative": ("a discount is negative", "折扣为负"),
    "rule.cancellation_matched": ("cancellation, netted from its order", "取消单，已与原单冲抵"),
    "rule.cancellation_unmatched": ("cancellation without a purchase", "找不到原单的取消单"),
    "rule.cancelled": ("given back in full", "全部退回"),
    "rule.cancelled_in_part": ("given back in part, netted", "部分退回，已冲抵"),
    "rule.ts_never": ("a time no clock showed", "不存在的时刻"),
    "rule.ts_twice": ("a time that occurred twice", "出现两次的时刻"),
    "rule.ts_future": ("in the future", "未来的时刻"),
    "rule.price_not_positive": ("price zero or negative", "价格为零或负"),
    "rule.cost_negative": ("cost is negative", "成本为负"),
    "rule.action_unknown": ("an action nobody knows", "未知的行为"),
    "rule.place_not_a_rank": ("place is no rank", "位置不是名次"),
    "rule.place_missing": ("an impression without a place", "展示缺少位置"),
    "rule.propensity_out_of_range": ("propensity outside (0, 1]", "展示概率不在 (0, 1] 内"),
    "rule.sold_by_volume": ("sold by volume", "按体积出售"),
    "rule.volume_unknown": ("sold by volume, but of unknown volume", "按体积出售但体积不明"),
    "rule.units_in_thousandths": ("units were in thousandths", "数量以千分之一计"),
    "rule.outlier": ("units far from the usual", "数量远离常值"),
    "ingest.rows": ("{rows} rows", "{rows} 行"),
    "ingest.example": ("for instance", "例如"),
    "metrics.heading": ("How good it is, beside simple baselines", "效果如何：与简单基线相比"),
    "metrics.note": (
        "Measured on weeks the release never saw. Dots are estimates, lines 95% intervals; the release's own model in colour.",
        "在该版本从未见过的几周上度量。圆点为估计值，横线为 95% 区间；本版本的模型以彩色标出。",
    ),
    "metrics.loses": (
        "{metric} on {slice}: the baseline “{model}” does better ({theirs} against {ours}).",
        "{metric}（{slice}）：基线“{model}”更好（{theirs} 对 {ours}）。",
    ),
    "metrics.loses_within": (
        "{metric} on {slice}: “{model}” does better ({theirs} against {ours}), though the intervals overlap.",
        "{metric}（{slice}）：“{model}”更好（{theirs} 对 {ours}），但区间有重叠。",
    ),
    "metrics.wins": ("No baseline does better on any measure shown.", "在所示的各项指标上，没有基线更好。"),
    "metrics.honest": ("Where a baseline wins", "基线取胜之处"),
    "metric.auc": ("AUC", "AUC（曲线下面积）"),
    "metric.average_precision": ("average precision", "平均精度"),
    "metric.brier": ("Brier score", "Brier 分数"),
    "metric.log_loss": ("log loss", "对数损失"),
    "metric.calibration_error": ("calibration error", "校准误差"),
    "model.fused": ("both, fused", "两者融合"),
    "model.behaviour": ("behaviour alone", "仅行为"),
    "model.meaning": ("words alone", "仅文字"),
    "model.popularity": ("popularity", "热度"),
    "model.past_rate": ("past rate, shrunk", "过往频率（收缩）"),
    "slice.edge": ("pairs with an edge", "已有边的商品对"),
    "slice.no_edge": ("pairs without an edge", "无边的商品对"),
    "slice.cold_product": ("pairs with a product not sold before", "含从未售出商品的商品对"),
    "slice.launched": ("pairs with a product launched since", "含新上市商品的商品对"),
    "slice.all": ("all pairs", "全部商品对"),
    "slice.warm": ("known products", "已知商品"),
    "slice.cold": ("new products", "新商品"),
    "metrics.lower": ("lower is better", "越低越好"),
    "metrics.more": ("{n} more measures", "另有 {n} 项度量"),
    "metrics.cases": ("{n} cases", "{n} 例"),
    "metrics.empty": ("This release carries no measurements.", "此版本没有度量结果。"),
    "clusters.heading": ("Families found in the product texts", "从商品文字中发现的商品族"),
    "clusters.note": (
        "The largest groups of each method, with their most telling words.",
        "每种方法中最大的几组及其最具代表性的词。",
    ),
    "clusters.kmeans": ("k-means", "k 均值"),
    "clusters.hierarchical": ("hierarchical", "层次聚类"),
    "clusters.size": ("{n} products", "{n} 种商品"),
    "clusters.empty": ("This release carries no clusters.", "此版本没有聚类。"),
    "footer": (
        "One file, no network: made by Basketry from release {release}.",
        "单一文件，无需联网：由 Basketry 根据版本 {release} 生成。",
    ),
}


def humanised(name: str) -> str:
    """A column or model name as words: underscores are spaces."""
    return name.replace("_", " ")


def both(key: str) -> tuple[str, str]:
    """The English and the Chinese of `key`; a name that has no entry (`metric.recall_at_10`) speaks for itself in both."""
    found = WORDS.get(key)
    if found is not None:
        return found
    words = humanised(key.partition(".")[2] or key)
    return words, words
