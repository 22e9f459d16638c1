"""What is written into the widgets of a graph: mostly what the field offers, sometimes its ends, in wild graphs rubbish."""

from __future__ import annotations

from random import Random
from typing import Any

from .catalogue import Input, Node
from .own_files import LORA, PICTURE

# Words that make sense together, and words that are odd; a field gets one of the first three times in four.
SENSIBLE = {
    "text": (
        "two circles and a star",
        "two circles and a star",
        "three red circles and two blue squares, a star",
        "a photo of 2 circles, 1 moon",
        "a star and five circles on a black background",
    ),
    "objects": ("", "", "", "2 circles", "1 circle"),
    "words": ("", "circles", "all"),
    "filename_prefix": ("fuzz",),
    "cond_retain_index_list": ("0",),
    "latent_retain_index_list": ("0",),
    # The shipped counter takes plain nouns.
    "HeadcountT2ICountCounter.text": ("", "circles", "circles, stars"),
}
ODD = {
    "text": (
        "a circle",
        "circles",
        "(two circles:1.3) and ((a star)), [cross]",
        "a pair of triangles BREAK a moon",
        "four crosses and four crosses",
        "no circles, two stars",
        "a nice picture",
        "",
        " \n\t",
        "100000000000000000000 circles",
        "0 circles and 0 stars",
        "-3 circles, 1.5 stars, 1e9 moons",
        "zwei Kreise und ein Stern, 三つの星, 🐈🐈🐈",
        "<img src=x onerror=alert(1)> two circles",
        "embedding:nothing_here two circles",
        "(((((two circles",
        "two \\(circles\\) {and|or} a __star__",
        "two circles and a star, " * 40,
    ),
    "objects": (
        "2 circles, 1 star",
        "1 circle\n2 stars",
        "circles",
        "3",
        "2 dragons",
        "0 stars",
        "2 circles, 2 circles",
        "asked: 2 circles",
        "99999999999999999999 stars",
        "two circles; one star",
        "2 <b>circles</b>",
        ",,,",
    ),
    "words": ("star, circle", "dragons", "two", ",", "CIRCLES", "a" * 300),
}
# What costs time or memory is kept small: (name, values).
SMALL: dict[str, tuple[float, ...]] = {
    "width": (64, 64, 64, 64, 96, 128, 72, 24),
    "height": (64, 64, 64, 64, 96, 128, 72, 16),
    "output_width": (64, 128),
    "output_height": (64, 128),
    "steps": (1, 2, 2, 3, 4),
    "end_at_step": (1, 2, 3, 10000),
    "start_at_step": (0, 0, 1, 3),
    "batch_size": (1, 1, 1, 2, 3),
    "length": (1, 1, 5, 9),
    "amount": (1, 2),
    "seeds": (1, 2, 3),
    "candidates": (1, 2, 3),
    "scale_by": (0.5, 1.0, 1.5),
    "tile_size": (64, 128, 256),
    "slice_size": (1, 2),
    "expand": (-8, 0, 8),
    "cfg": (1.0, 3.0, 3.0, 8.0),
    "context_length": (1, 4, 16),
}
# ComfyUI looks at every value of its own nodes before anything runs, so that one bad value there ends the graph.
RUBBISH_OF_OURS, RUBBISH_OF_CORE = 0.04, 0.002
FAR = 5000  # further from the default, an end of a range is nothing that anybody means
RUBBISH: tuple[Any, ...] = ("nonsense", "", None, True, -1, 10**20, 1e308, "NaN", {"a": 1}, {"__value__": [1, 2]}, "12")


def value_for(rng: Random, node: Node, one: Input, wild: bool) -> Any:
    """A value for a widget of a node; in a wild graph, now and then nothing that the field would take."""
    if wild and rng.random() < (RUBBISH_OF_OURS if node.ours else RUBBISH_OF_CORE):
        return rng.choice(RUBBISH)
    if one.values is not None:
        own = [value for value in one.values if value in (LORA, PICTURE)]
        if own:  # ComfyUI's example picture is large
            return own[0]
        default = one.options.get("default", one.values[0])
        return rng.choice(one.values) if default not in one.values or rng.random() < 0.5 else default
    [kind] = one.kinds
    if kind == "BOOLEAN":
        return rng.random() < 0.5
    if kind == "STRING":
        return _words(rng, node, one)
    number = _number(rng, one, wild and node.ours)
    return round(number) if kind == "INT" else float(number)


def _words(rng: Random, node: Node, one: Input) -> str:
    """Words for a field of this name; for one of another name what it has by itself, or any."""
    sensible = SENSIBLE.get(f"{node.name}.{one.name}") or SENSIBLE.get(one.name) or (one.options.get("default", ""),)
    odd = ODD.get(one.name) or (sensible if one.name in SENSIBLE else sum(ODD.values(), ()))
    return rng.choice(sensible if rng.random() < 0.75 else odd)


def _number(rng: Random, one: Input, beyond: bool) -> float:
    """Small where it costs time; else the default, an end of the range, or anything near the default."""
    low, high = one.options.get("min", 0), one.options.get("max", 100)
    if one.name in SMALL:
        fitting = [value for value in SMALL[one.name] if low <= value <= high]
        return rng.choice(fitting or [low])
    if one.name in ("seed", "noise_seed"):
        return rng.randrange(1000)
    default = min(max(one.options.get("default", 0), low), high)
    near = min(high, max(2 * abs(default), max(low, -4) + 4))
    if beyond and rng.random() < 0.05:
        return rng.choice((low - 1, high + 1))
    ends = [end for end in (low, high) if abs(end - default) <= FAR]
    return rng.choice((default, default, default, near, rng.uniform(max(low, default - FAR), near), *ends))
