"""The frontier of recipes as a picture: loss upwards, time of a text to the right on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from basketry.app.charts import BOTTOM, HEIGHT, LogScale

Point = tuple[str, float, float, bool]
WIDTH: Final = 640.0
_LEFT: Final = 56.0
_RIGHT: Final = 16.0
_TOP: Final = 20.0
_STEPS: Final = 5


def frontier_svg(points: Sequence[Point], allowed: float) -> str:
    """An SVG of points (recipe, CPU us a text, loss, on the frontier); those on the frontier are joined and named."""
    times, losses = [point[1] for point in points], [point[2] for point in points]
    across = LogScale(min(times) * 0.9, max(times) * 1.6, _LEFT, WIDTH - _RIGHT)
    most = max(*losses, allowed, 0.01) * 1.1
    least = min(*losses, 0.0)

    def up(loss: float) -> float:
        return round(HEIGHT - BOTTOM - (loss - least) / (most - least) * (HEIGHT - BOTTOM - _TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-family="sans-serif" font-size="11">',
        f'<path d="M{_LEFT} {up(allowed)}H{WIDTH - _RIGHT}" stroke="#b33" stroke-dasharray="4 3"/>',
        f'<text x="{WIDTH - _RIGHT}" y="{up(allowed) - 4}" text-anchor="end" fill="#b33">allowed loss {allowed:g}</text>',
    ]
    for step in range(_STEPS + 1):
        loss = least + (most - least) * step / _STEPS
        parts.append(f'<text x="{_LEFT - 6}" y="{up(loss) + 4}" text-anchor="end" fill="#555">{loss:.3f}</text>')
        time = min(times) * (max(times) / min(times)) ** (step / _STEPS)
        label = f'<text x="{across(time)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#555">{time:,.0f}</text>'
        if step == 0 or max(times) > min(times):
            parts.append(label)
    middle = (WIDTH + _LEFT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">CPU microseconds a text (loss upwards)</text>')
    best = sorted((point for point in points if point[3]), key=lambda point: point[1])
    line = " ".join(f"{across(time)},{up(loss)}" for _, time, loss, _ in best)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#264" stroke-width="1.5"/>')
    for recipe, time, loss, on in points:
        x, y, colour = across(time), up(loss), "#264" if on else "#aaa"
        parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"><title>{escape(recipe)}</title></circle>')
        if on:
            parts.append(f'<text x="{x + 6}" y="{y - 5}" fill="#264">{escape(recipe)}</text>')
    return "\n".join([*parts, "</svg>\n"])
