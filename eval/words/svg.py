"""Line charts as inline SVG, so that a page needs nothing but itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 500, 300, 48, 40, 30, 16
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7d4e9f", "#b58900", "#00808a", "#5b5b5b", "#999999")


@dataclass(frozen=True)
class Curve:
    """A named line through (x, y) points."""

    name: str
    points: list[tuple[float, float]]


def draw_chart(title: str, x_name: str, y_name: str, curves: list[Curve], top: float = 100.0) -> str:
    """An SVG element; y runs from 0 to `top`, x over what the points span. Curves without a point are only named."""
    xs = [x for curve in curves for x, _ in curve.points] or [0.0, 1.0]
    low, high = min(xs), max(max(xs), min(xs) + 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" font-size="11">']
    parts.append(_draw_text(WIDTH / 2, 16, title, "middle", 13))
    parts += _draw_axes(place, low, high, top, x_name, y_name)
    for i, curve in enumerate(curves):
        parts.append(_draw_line(curve, place, COLOURS[i % len(COLOURS)]))
        parts.append(
            _draw_text(WIDTH - RIGHT, HEIGHT - BOTTOM - 8 - 13 * i, curve.name, "end", 11, COLOURS[i % len(COLOURS)])
        )
    return "".join([*parts, "</svg>"])


def _draw_axes(place, low: float, high: float, top: float, x_name: str, y_name: str) -> list[str]:
    parts = [_draw_text(WIDTH / 2, HEIGHT - 6, x_name, "middle"), _draw_text(4, TOP - 8, y_name, "start")]
    for step in range(6):
        x, y = low + (high - low) * step / 5, top * step / 5
        across, up = place(x, y)
        parts.append(f'<path d="M{LEFT} {up:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_draw_text(LEFT - 6, up + 4, f"{y:g}", "end"))
        parts.append(_draw_text(across, HEIGHT - BOTTOM + 15, f"{x:.3g}", "middle"))
    return parts


def _draw_line(curve: Curve, place, colour: str) -> str:
    spots = [place(x, y) for x, y in curve.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in spots)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>{dots}'


def _draw_text(x: float, y: float, text: str, anchor: str, size: int = 11, colour: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )
