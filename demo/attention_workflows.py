"""The example workflows about attention: steering, looking, choosing the noise."""

from __future__ import annotations

from .workflow_file import NOTE, Group, Placed
from .workflow_parts import (
    BLUE,
    GREEN,
    GREY,
    PROMPTS,
    PURPLE,
    SAMPLING,
    decode,
    read_prompt,
    sampler,
    side_by_side,
    source,
)
from .workflow_views import isac_views, mask_pictures, masks, viewer

ISAC_NOTE = """# Right number of things

Press **Run**. Both rows start from the same noise:

- **Without ISAC**: what the model does by itself.
- **With ISAC**: steered at every step, so that the asked number of things forms.

Then try:

1. Write another prompt into **Count Prompt**. The model knows circles, squares, triangles, stars, hearts, rings, \
crosses and moons, in red, blue, green, yellow, purple or black, up to 8 in all.
2. Change the **seed**, in both samplers alike.
3. Turn **strength** down and up. 0 gives exactly the picture of the upper row.

For your own model, replace *Load Shapes Demo Model* by *Load Checkpoint* (SD 1.5 to 3.5, SDXL, Flux and others), \
with its own picture size, steps and cfg. Steering helps often, not always."""

ATTENTION_NOTE = """# See what the model looks at

Press **Run**. *Attention Map Recorder* changes nothing in the picture; it only watches.

- **words**: where the picture looks at each word. Write `all` into *words* for every word of the prompt.
- **regions**: what belongs together, by the model's self-attention.
- **steps**: how the maps of the counted words form, from noise to picture.
- **Instance Masks**: one mask and one box for each thing found.

Bright is much attention, dark is little. Changing a viewer does not sample again.

The node has controls of its own too: pick words, play through the steps, point at the picture.

To watch a steered run, put *ISAC Attention Control* in place of the recorder."""

SELECTION_NOTE = """# Choose the noise

Press **Run**. *ISAC Latent Selection* tries eight noises of the seed for the first steps, looks at the model's attention, \
and hands on the one that promises the asked number of things.

- **As it comes**: the seed's first noise.
- **The chosen noise**: the best of the eight; the text below it says how each of them scored.

Connect both **LATENT** and **seed** of the node to the sampler, and give both the same steps, cfg, sampler and scheduler.

More **candidates** find better noises and cost more. *ISAC Attention Control* may sit between model and sampler as well: \
first choose, then steer."""


def shapes_isac() -> tuple[Group, ...]:
    """The same noise with and without ISAC, side by side."""
    start = source("three red circles and two blue stars", 4)
    note = Placed("note", NOTE, widgets={"text": ISAC_NOTE}, title="What to do", extra_height=420)
    isac = Placed("isac", "HeadcountIsacAttentionControl", {"model": ("model", "MODEL")})
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        *side_by_side("isac", isac, "ISAC", "with_isac"),
        isac_views(),
    )


def shapes_attention() -> tuple[Group, ...]:
    """What the model looks at, in the three modes of the viewer, and one mask per thing."""
    note = Placed("note", NOTE, widgets={"text": ATTENTION_NOTE}, title="What to do", extra_height=360)
    recorder = Placed("recorder", "HeadcountAttentionMapRecorder", {"model": ("model", "MODEL")})
    shown = Placed("picture", "PreviewImage", {"images": ("decode", "IMAGE")}, title="The picture")
    found_masks, found = masks("recorder", "sampler")
    views = [viewer(show, "recorder", "sampler", "decode", show) for show in ("words", "regions", "steps")]
    lists = [
        Placed(f"{view.key}_list", "PreviewAny", {"source": (view.key, "STRING")}, title=f"Shown above: {view.key}")
        for view in views
    ]
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, source("three circles and two stars", 1)),)),
        Group(
            *("Sample and watch", GREEN, (920, 0)),
            ((300, (recorder, sampler("sampler", "recorder"), decode("decode", "sampler"))), (300, (shown,))),
        ),
        Group(
            *("Three ways to look", PURPLE, (1680, 0)),
            tuple((340, (view, listed)) for view, listed in zip(views, lists, strict=True)),
        ),
        Group(
            *("One mask per thing", PURPLE, (1680, 1000)),
            ((340, (found_masks,)), (340, (found,)), (340, mask_pictures())),
        ),
    )


def shapes_selection() -> tuple[Group, ...]:
    """The first noise of a seed, and the best of eight."""
    note = Placed("note", NOTE, widgets={"text": SELECTION_NOTE}, title="What to do", extra_height=380)
    links = {"model": ("model", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT")}
    selection = Placed("selection", "HeadcountIsacLatentSelection", links, SAMPLING)
    table = Placed(
        "table", "PreviewAny", {"source": ("selection", "table")}, title="How each noise scored", extra_height=90
    )
    chosen = {"latent_image": ("selection", "LATENT"), "seed": ("selection", "seed")}
    shown = Placed("picture", "PreviewImage", {"images": ("decode", "IMAGE")}, title="As it comes")
    saved = Placed(
        *("chosen_picture", "SaveImage", {"images": ("chosen_decode", "IMAGE")}),
        *({"filename_prefix": "headcount/chosen"}, "The chosen noise"),
    )
    start = source("four green hearts", 1)
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        Group(
            *("As it comes", GREY, (920, 0)),
            ((300, ()), (290, (sampler("sampler", "model"), decode("decode", "sampler"))), (380, (shown,))),
        ),
        Group(
            *("The chosen noise", GREEN, (920, 500)),
            (
                (300, (selection, table)),
                (290, (sampler("chosen_sampler", "model", **chosen), decode("chosen_decode", "chosen_sampler"))),
                (380, (saved,)),
            ),
        ),
    )
