"""Putting labelled things on a canvas so that no label covers another."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

Box = tuple[float, float, float, float]

LINE_HEIGHT: Final = 13.0
LETTER: Final = 6.9  # mean advance of a Latin letter at the label's 12 px, in a wide face; a CJK character takes two
GAP: Final = 4.0
ROUNDS: Final = 80


def text_width(text: str) -> float:
    """About how many pixels a label line takes."""
    return sum(
        LETTER * (2 if unicodedata.east_asian_width(letter) in "WF" else 1.2 if letter.isupper() else 1) for letter in text
    )


def wrapped(title: str, width: float, lines: int = 2) -> tuple[str, ...]:
    """`title` in at most `lines` lines of at most `width` pixels, broken at spaces if there are any, cut with an ellipsis."""
    done: list[str] = []
    rest = " ".join(title.split())
    while rest and len(done) < lines:
        cut = len(rest)
        while cut > 1 and text_width(rest[:cut]) > width:
            cut -= 1
        if cut < len(rest) and len(done) < lines - 1 and (space := rest.rfind(" ", 1, cut + 1)) > 0:
            cut = space
        if cut < len(rest) and len(done) == lines - 1:
            done.append(rest[: max(cut - 1, 1)].rstrip() + "…")
            break
        done.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return tuple(done)


def stretched(values: Sequence[float], low: float, high: float) -> list[float]:
    """Values onto low..high: halfway between their own distances and equal ones, so that a crowd is given room."""
    least, most = min(values), max(values)
    span = most - least
    if not span:
        return [(low + high) / 2 for _ in values]
    order = sorted(range(len(values)), key=lambda index: (values[index], index))
    rank = {index: place / (len(values) - 1) for place, index in enumerate(order)}
    return [low + ((value - least) / span + rank[index]) / 2 * (high - low) for index, value in enumerate(values)]


def apart(boxes: Sequence[Box], xs: list[float], ys: list[float], width: float) -> list[tuple[float, float]]:
    """Places near `xs` and `ys`, to a tenth, at which boxes (left, top, right, bottom about the place) do not overlap.

    Overlapping boxes are pushed apart along the axis where they overlap less, within left, top and right; then they settle
    downwards. `xs` and `ys` are changed.
    """
    for _ in range(ROUNDS):
        for i in range(len(boxes)):
            for j in range(i + 1, len(boxes)):
                across, down = _overlap(boxes, xs, ys, i, j)
                if across <= 0 or down <= 0:
                    continue
                along, step = (xs, across) if across < down else (ys, down)
                side = step / 2 if (along[i], i) < (along[j], j) else -step / 2
                along[i] -= side
                along[j] += side
        for i, (left, top, right, _) in enumerate(boxes):
            xs[i] = min(max(xs[i], GAP - left), width - GAP - right)
            ys[i] = max(ys[i], GAP - top)
    _settle(boxes, xs, ys)
    return [(round(x, 1), round(y, 1)) for x, y in zip(xs, ys, strict=True)]


def _settle(boxes: Sequence[Box], xs: Sequence[float], ys: list[float]) -> None:
    """From the top down, move each box below whatever it still overlaps: what was wedged between the sides is freed."""
    order = sorted(range(len(boxes)), key=lambda i: (ys[i] + boxes[i][1], i))
    for place, i in enumerate(order):
        while above := [j for j in order[:place] if min(_overlap(boxes, xs, ys, i, j)) > GAP / 2]:
            ys[i] = max(ys[j] + boxes[j][3] for j in above) + GAP - boxes[i][1]


def _overlap(boxes: Sequence[Box], xs: Sequence[float], ys: Sequence[float], i: int, j: int) -> tuple[float, float]:
    """By how much two boxes, with a gap around, overlap across and down; they overlap where both are above 0."""
    (left, top, right, bottom), (left_too, top_too, right_too, bottom_too) = boxes[i], boxes[j]
    across = min(right + xs[i], right_too + xs[j]) - max(left + xs[i], left_too + xs[j]) + GAP
    down = min(bottom + ys[i], bottom_too + ys[j]) - max(top + ys[i], top_too + ys[j]) + GAP
    return across, down
