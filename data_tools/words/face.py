"""Letters given a face and put on a background: border, shadow, outline, relief, dots, glow, textures, panels.

After MJSynth's base colouring, bordering, shadowing and blending (Jaderberg et al. 2014), in grey levels 0-255 at once:
pictures are read grey, so the contrast between fore- and background is what has to vary, either way round.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from data_tools.words.fonts import CAPITAL_HEIGHT
from data_tools.words.recipe import Recipe
from data_tools.words.textures import Textures


def paint(mask: np.ndarray, random: Random, recipe: Recipe, textures: Textures | None) -> np.ndarray:
    """Letters `mask` (h, w) uint8 on a background, a plain one without `textures`: (h, w) float32, about 0-255."""
    height, width = mask.shape
    fore, back = levels(random, recipe)
    contrast = abs(fore - back)
    picture = background(width, height, back, contrast, random, recipe, textures)
    if random.random() < recipe.split * recipe.strength:
        split(picture, random, contrast)
    if random.random() < recipe.clutter * recipe.strength:
        clutter(picture, random, contrast)
    picture = _draw_letters(picture, mask, fore, back, random, recipe, textures)
    if textures and random.random() < recipe.occlusion * recipe.strength:
        occlude(picture, random, contrast)
    return picture


def _draw_letters(picture, mask, fore, back, random, recipe, textures) -> np.ndarray:
    """`picture` with the letters on it: what is done to their shape, what lies under them, their face."""
    contrast = abs(fore - back)
    if random.random() < recipe.weight * recipe.strength:
        mask = reweight(mask, random)
    if random.random() < recipe.dots * recipe.strength:
        mask = draw_dots(mask, random)
    if textures and random.random() < recipe.worn * recipe.strength:
        mask = worn(mask, random, textures)
    if random.random() < recipe.engraved * recipe.strength:
        return engrave(picture, mask, contrast, random)
    for style, chance in (("shadow", recipe.shadow), ("extrusion", recipe.extrusion), ("border", recipe.border)):
        if random.random() < chance * recipe.strength:
            _UNDER[style](picture, mask, fore, back, random)
    if random.random() < recipe.outline * recipe.strength:
        return outline(picture, mask, fore, random)
    return _fill(picture, mask, fore, contrast, random, recipe, textures)


def _fill(picture, mask, fore, contrast, random, recipe, textures) -> np.ndarray:
    alpha = mask.astype(np.float32) * (1 / 255)
    level: float | np.ndarray = fore
    if random.random() < recipe.letter_texture * recipe.strength:
        height, width = mask.shape
        if textures and random.random() < 0.5:
            level = fore + textures.draw(random, width, height) * contrast * random.uniform(0.05, 0.28)
        else:
            slope = np.arange(-1, 1, 2 / height, np.float32)[:height, None] * random.choice((-1, 1))
            if random.random() < 0.25:  # polished metal: sky above the horizon, earth below it
                slope = np.where(slope < random.uniform(-0.4, 0.4), slope + 0.8, slope - 0.8)
            level = fore + slope * contrast * random.uniform(0.1, 0.45)
    if random.random() < recipe.two_tone * recipe.strength:
        level = level + two_tone(mask.shape[1], random) * contrast * 0.5
    picture += (level - picture) * alpha
    if random.random() < recipe.relief * recipe.strength:
        picture += relief(mask, random) * max(contrast, 60)
    return picture


def levels(random: Random, recipe: Recipe) -> tuple[float, float]:
    """Grey levels of letters and background: any contrast, either way round, low ones now and then."""
    if random.random() < recipe.low_contrast * recipe.strength:
        contrast = random.uniform(20, 60)
    else:
        contrast = 50 + 200 * random.random() ** 1.1
    room = 255 - contrast
    dark = room * random.betavariate(2.2, 2.2)
    if random.random() < 0.3:
        dark = 0.0 if random.random() < 0.5 else room
    light = dark + contrast
    return (dark, light) if random.random() < 0.5 else (light, dark)


def background(width, height, back, contrast, random: Random, recipe: Recipe, textures: Textures | None) -> np.ndarray:
    """What letters stand on: plain, a slope, or a texture that leaves them readable; (height, width) float32."""
    picture = np.full((height, width), back, np.float32)
    if recipe.strength == 0 or random.random() < recipe.plain or textures is None:
        return picture
    strong = random.random() < 0.25
    amount = contrast * (random.uniform(0.15, 0.42) if strong else random.uniform(0.02, 0.16))
    picture += textures.draw(random, width, height) * amount
    return picture


def split(picture: np.ndarray, random: Random, contrast: float) -> None:
    """Another level on one side of a line behind the letters, upright or level: a wall's edge, a stripe, a window."""
    height, width = picture.shape
    step = contrast * random.uniform(0.15, 0.6) * random.choice((-1, 1))
    if random.random() < 0.5:
        picture[round(height * random.uniform(0.15, 0.85)) :] += step
    else:
        start = random.uniform(0.0, 0.9)
        end = 1.0 if random.random() < 0.5 else start + random.uniform(0.05, 0.4)
        picture[:, round(width * start) : round(width * end)] += step


def occlude(picture: np.ndarray, random: Random, contrast: float) -> None:
    """A pole, the bars of a fence or a branch before the letters, none so broad as to hide one of them altogether."""
    height, width = picture.shape
    level = float(np.clip(picture[0, 0] + random.uniform(-1.2, 1.2) * max(contrast, 60), 0, 255))
    lean = random.gauss(0, 0.08) if random.random() < 0.7 else random.gauss(0, 1)
    across = np.arange(width, dtype=np.float32) - np.arange(height, dtype=np.float32)[:, None] * lean
    at = random.uniform(0, width)
    if random.random() < 0.35:  # a fence
        pitch, broad = CAPITAL_HEIGHT * random.uniform(0.5, 1.6), CAPITAL_HEIGHT * random.uniform(0.04, 0.13)
        away = np.abs((across - at) % pitch - pitch / 2)
    else:
        broad = CAPITAL_HEIGHT * random.uniform(0.05, 0.35)
        away = np.abs(across - at)
    cover = np.clip(broad / 2 + 0.5 - away, 0, 1)
    picture += (level - picture) * cover * random.uniform(0.6, 1)


def clutter(picture: np.ndarray, random: Random, contrast: float) -> None:
    """Edges of a panel, rules and frames near the picture's edges, a wire across: drawn into `picture`."""
    height = picture.shape[0]
    for _ in range(1 + (random.random() < 0.4)):
        level = float(np.clip(random.uniform(-1, 1) * max(contrast, 40) * 1.2 + picture[0, 0], 0, 255))
        kind, depth = random.random(), random.uniform(0.02, 0.14)
        rows, columns = max(1, round(height * depth)), max(1, round(height * depth * 1.5))
        if kind < 0.3:
            picture[:rows] = level
        elif kind < 0.6:
            picture[-rows:] = level
        elif kind < 0.7:
            picture[:, :columns] = level
        elif kind < 0.8:
            picture[:, -columns:] = level
        elif kind < 0.92:
            _rule(picture, level, random)
        else:
            _wire(picture, level, random)


def _rule(picture: np.ndarray, level: float, random: Random) -> None:
    height = picture.shape[0]
    thick = max(1, round(height * random.uniform(0.01, 0.06)))
    at = round(height * random.choice((random.uniform(0.0, 0.12), random.uniform(0.86, 0.97))))
    picture[at : at + thick] = level


def _wire(picture: np.ndarray, level: float, random: Random) -> None:
    height, width = picture.shape
    x = np.arange(width)
    start, end = random.uniform(-0.3, 1.3) * height, random.uniform(-0.3, 1.3) * height
    y = np.round(start + (end - start) * x / width).astype(int)
    inside = (y >= 0) & (y < height)
    picture[y[inside], x[inside]] = level


_SHARES = np.arange(256) / 255


def reweight(mask: np.ndarray, random: Random) -> np.ndarray:
    """Strokes fuller or thinner: half-covered pixels count for more or less, or a pixel is added all round."""
    if random.random() < 0.3:
        return thicken(mask, 1)
    table = np.clip(_SHARES ** math.exp(random.uniform(-1.1, 0.9)) * 255, 0, 255).astype(np.uint8)
    return table[mask]


def worn(mask: np.ndarray, random: Random, textures: Textures) -> np.ndarray:
    """Letters with paint lost where a texture is high: worn road markings, peeling boards, scuffed prints."""
    height, width = mask.shape
    lost = textures.draw(random, width, height) - random.uniform(0.3, 1.2)
    return (mask * (1 - np.clip(lost * random.uniform(1, 4), 0, random.uniform(0.4, 1)))).astype(np.uint8)


def engrave(picture: np.ndarray, mask: np.ndarray, contrast: float, random: Random) -> np.ndarray:
    """Letters of nearly the background's level, cut into it or raised: one side lit and the other in the shade."""
    picture += mask.astype(np.float32) * (contrast * random.uniform(-0.15, 0.15) / 255)
    picture += relief(mask, random) * (max(contrast, 70) * random.uniform(0.8, 1.8))
    return picture


def draw_dots(mask: np.ndarray, random: Random) -> np.ndarray:
    """Letters of dots: lamps, dot-matrix printers, perforation."""
    pitch = random.choice((3, 3, 4, 5))
    radius = pitch * random.uniform(0.32, 0.5)
    at = np.arange(pitch) - (pitch - 1) / 2
    dot = np.clip(radius + 0.5 - np.hypot(at[:, None], at[None, :]), 0, 1)
    height, width = mask.shape
    cells = Image.fromarray(mask).resize((max(1, width // pitch), max(1, height // pitch)), Image.Resampling.BOX)
    lit = (np.asarray(cells) > 64).astype(np.float32)
    out = np.zeros((height, width), np.uint8)
    dots = np.kron(lit, dot) * 255
    rows, columns = min(height, dots.shape[0]), min(width, dots.shape[1])
    out[:rows, :columns] = dots[:rows, :columns]
    return out


def shift(mask: np.ndarray, across: int, down: int) -> np.ndarray:
    """`mask` moved right and down, nothing coming in from the edges."""
    height, width = mask.shape
    out = np.zeros_like(mask)
    if abs(across) < width and abs(down) < height:
        out[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)] = mask[
            max(-down, 0) : height + min(-down, 0), max(-across, 0) : width + min(-across, 0)
        ]
    return out


def thicken(mask: np.ndarray, by: int) -> np.ndarray:
    """`mask` grown by `by` pixels, corners cut."""
    for step in range(by):
        grown = mask.copy()
        np.maximum(grown[:, 1:], mask[:, :-1], out=grown[:, 1:])
        np.maximum(grown[:, :-1], mask[:, 1:], out=grown[:, :-1])
        source = grown.copy() if step % 2 else mask
        np.maximum(grown[1:], source[:-1], out=grown[1:])
        np.maximum(grown[:-1], source[1:], out=grown[:-1])
        mask = grown
    return mask


def _blend(picture: np.ndarray, mask: np.ndarray, level: float, opacity: float = 1.0) -> None:
    picture += (level - picture) * (mask.astype(np.float32) * (opacity / 255))


def _border(picture, mask, fore, back, random: Random) -> None:
    apart = random.uniform(40, 200) * (1 if random.random() < 0.5 else -1)
    level = fore + apart if 0 <= fore + apart <= 255 else fore - apart
    _blend(picture, thicken(mask, random.choice((1, 1, 2, 2, 3))), float(np.clip(level, 0, 255)))


def _shadow(picture, mask, fore, back, random: Random) -> None:
    across, down = round(random.gauss(0, 2.2)), round(random.gauss(1, 2))
    shade = shift(mask, across, down)
    if random.random() < 0.6:
        blurred = ImageFilter.GaussianBlur(random.uniform(0.6, 3))
        shade = np.asarray(Image.fromarray(shade).filter(blurred))
    level = random.uniform(0, 60) if random.random() < 0.75 else random.uniform(190, 255)
    if abs(level - fore) < 40:
        level = (fore + back) / 2
    _blend(picture, shade, level, random.uniform(0.25, 0.9))


def _extrusion(picture, mask, fore, back, random: Random) -> None:
    depth, angle = random.choice((random.uniform(2, 6), random.uniform(2, 9))), random.uniform(0, 2 * math.pi)
    solid = mask
    for step in range(1, round(depth) + 1):
        solid = np.maximum(solid, shift(mask, round(step * math.cos(angle)), round(step * math.sin(angle))))
    level = fore + (back - fore) * random.uniform(0.35, 1.3)
    if random.random() < 0.25:  # boxes of letters on a front: their sides in the shade whatever the wall's level
        level = random.uniform(0, 70)
    if abs(level - fore) < 40:
        level = fore - math.copysign(40, fore - 128)
    _blend(picture, solid, float(np.clip(level, 0, 255)))


_UNDER = {"shadow": _shadow, "extrusion": _extrusion, "border": _border}


def outline(picture: np.ndarray, mask: np.ndarray, fore: float, random: Random) -> np.ndarray:
    """Only the letters' edges, as on book covers and neon: the inside shows the background."""
    edge = thicken(mask, 1 + (random.random() < 0.4)).astype(np.int16) - mask
    _blend(picture, np.clip(edge, 0, 255), fore)
    return picture


def two_tone(width: int, random: Random) -> np.ndarray:
    """Levels that change once, or with every letter or so: (width,) in [-1, 1]."""
    if random.random() < 0.5:
        return np.where(np.arange(width) < width * random.uniform(0.25, 0.75), 0.0, random.choice((-0.9, 0.9))).astype(
            np.float32
        )
    cells = [random.uniform(-0.6, 0.9) for _ in range(2 + width // CAPITAL_HEIGHT)]
    return np.repeat(np.array(cells, np.float32), CAPITAL_HEIGHT)[:width]


def relief(mask: np.ndarray, random: Random) -> np.ndarray:
    """Light on one side of raised or cut letters and shade on the other: (h, w) float32 in about [-1, 1]."""
    reach, angle = random.choice((1, 1, 2)), random.uniform(0, 2 * math.pi)
    across, down = round(reach * math.cos(angle)), round(reach * math.sin(angle)) or 1
    sides = shift(mask, across, down).astype(np.float32) - shift(mask, -across, -down)
    return sides * (random.uniform(0.25, 0.8) / 255)
