"""The example workflow that puts the whole pack together: guided, steered, looked at, counted, checked."""

from __future__ import annotations

from .counting_workflows import SHAPES_COUNTER, checked, counted, counter
from .workflow_file import NOTE, Group, Placed
from .workflow_parts import BLUE, GREEN, GREY, PURPLE, decode, read_prompt, sampler, source
from .workflow_views import layout_view, mask_pictures, masks, viewer

EVERYTHING_NOTE = """# Everything together

Press **Run**. Four pictures are drawn; only those that show what the prompt asks for are saved. When none does, nothing is \
saved, and the node says so.

1. **Count Prompt** reads how many of what are asked for.
2. **NUMINA Count Guide** looks, 40 % of the way, what is about to appear, and puts the layout right where it is not that.
3. **ISAC Attention Control** moves the picture towards the asked number while it forms.
4. **Attention Map Viewer** shows where the model looked at each word, and what NUMINA read. **Instance Masks** gives a mask \
for each thing, for inpainting or regional prompts.
5. **T2ICount Counter** counts what came out. **Count Check** compares, and lets only right pictures through.

Then try:

- Another prompt: circles, squares, triangles, stars, hearts, rings, crosses and moons, up to 8 in all.
- Switch the guide or ISAC off: set its **strength** to 0; the views go on working.
- Your own model: replace *Load Shapes Demo Model* by *Load Checkpoint*, with its own size, steps and cfg, and choose the \
T2ICount file in *Load T2ICount Model*."""


def shapes_everything() -> tuple[Group, ...]:
    """NUMINA and ISAC before one sampler; views, masks, counts and the check behind it."""
    note = Placed("note", NOTE, widgets={"text": EVERYTHING_NOTE}, title="What to do", extra_height=560)
    start = source("three hearts and two squares", 4)
    guide = Placed("guide", "HeadcountNuminaCountGuide", {"model": ("model", "MODEL")})
    isac = Placed("isac", "HeadcountIsacAttentionControl", {"model": ("guide", "MODEL")}, {"mode": "fast"})
    words = viewer("words", "isac", "sampler", "decode", "words")
    found_masks, found = masks("isac", "sampler")
    layout, read = layout_view("guide", "sampler", "decode")
    check, table = checked("decode", "counted", {"if_none_right": "stop"})
    saved = Placed(
        *("saved", "SaveImage", {"images": ("check", "right")}),
        *({"filename_prefix": "headcount/everything"}, "Only the right pictures"),
    )
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        Group(
            *("Guide, steer, sample", GREEN, (920, 0)),
            ((320, (guide, isac)), (290, (sampler("sampler", "isac"), decode("decode", "sampler")))),
        ),
        Group(
            *("What the model looked at", PURPLE, (920, 1020)),
            ((380, (words,)), (380, (layout,)), (380, (found_masks, found)), (340, (read, *mask_pictures()))),
        ),
        Group(
            *("Count, and keep what is right", GREEN, (1670, 0)),
            (
                (320, (counter(SHAPES_COUNTER),)),
                (380, (counted("counted", "decode"),)),
                (380, (check, table)),
                (380, (saved,)),
            ),
        ),
    )
