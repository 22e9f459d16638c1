"""The example workflows about counting: pictures counted and checked, a photo counted, seeds searched by their count."""

from __future__ import annotations

from typing import Any

from .workflow_file import NOTE, Group, Placed
from .workflow_parts import BLUE, GREEN, GREY, PROMPTS, PURPLE, SAMPLING, decode, read_prompt, sampler, source

SHAPES_COUNTER, OFFICIAL_COUNTER = "shapes_counter.safetensors", "best_model_paper.pth"

COUNT_NOTE = """# Keep the pictures that are right

Press **Run**. Eight pictures are drawn, the Shapes counter counts each, and **Count Check** lets only those through that show \
what the prompt asks for.

- **Counted**: a dot on each thing that was found, and the number.
- **Count Check**: which pictures are right. Only these are saved. When none is, nothing is saved, and the node says so.

Then try:

1. Write another prompt into **Count Prompt**.
2. Raise **tolerance** in Count Check to let nearly right pictures through.
3. Set **if_none_right** to *best picture*: then the nearest one is saved when none is right.

The counter knows the shapes only. For your own pictures choose the T2ICount file in *Load T2ICount Model*; the workflow \
t2icount_photo says where it comes from."""

PHOTO_NOTE = """# Count things in a photo

1. Download **best_model_paper.pth** from the page of the T2ICount authors (github.com/cha15yq/T2ICount) and put it into \
`models/t2icount`. Its authors state no licence; the file is not part of this pack.
2. Choose your picture in **Load Image**.
3. Write what is to be counted into **T2ICount Counter**: a plain plural such as `cats`, several ones separated by commas.
4. Press **Run**.

The counter was trained on photos of many similar things, 7 and more. Look at its overlay before you trust a number."""

SEARCH_NOTE = """# Search the seed

Press **Run**. **Count Search** tries several seeds in a few quick steps each, lets the counter look at what they will show, \
and hands on the first one that is right.

- **As it comes**: the first seed.
- **The chosen seed**: the same sampler with the seed that was found. **Count Check** says whether its picture is right.

Connect both **LATENT** and **seed** of Count Search to the sampler, and give both the same steps, cfg, sampler and scheduler.

More **seeds** find better pictures and cost more. *ISAC Attention Control* may sit before the sampler as well: first search, \
then steer."""

PICK_NOTE = """# Search the seed with any detector

Press **Run**. *Count Search* in two parts: **Count Search Candidates** shows what several seeds will make, a counter looks at \
these pictures, and **Count Search Pick** hands the best seed to the sampler.

For your own pictures put a detector of any pack in the place of *T2ICount Counter*, and connect its BOUNDING_BOX to \
**boxes** of Count Search Pick. When several kinds of things are asked for, its boxes need labels."""


def counter(file: str) -> Placed:
    """Load T2ICount Model with one of its files."""
    return Placed("counter", "HeadcountLoadT2ICountModel", {}, {"model_name": file})


def counted(key: str, image: str) -> Placed:
    """T2ICount Counter that counts what the prompt asks for."""
    links = {"t2icount": ("counter", "T2ICOUNT"), "image": (image, "IMAGE"), "counts": ("prompt", "COUNTS")}
    return Placed(key, "HeadcountT2ICountCounter", links, title="Counted")


def checked(image: str, counted: str, widgets: dict[str, Any] | None = None) -> tuple[Placed, ...]:
    """Count Check with these widget values, and its table."""
    links = {"image": (image, "IMAGE"), "counted": (counted, "COUNTED"), "counts": ("prompt", "COUNTS")}
    return (
        Placed("check", "HeadcountCountCheck", links, widgets or {}),
        Placed("table", "PreviewAny", {"source": ("check", "table")}, title="Asked and counted", extra_height=110),
    )


def shapes_count() -> tuple[Group, ...]:
    """A batch, counted; only the right pictures are saved."""
    note = Placed("note", NOTE, widgets={"text": COUNT_NOTE}, title="What to do", extra_height=420)
    start = source("four red circles", 8)
    saved = Placed(
        *("saved", "SaveImage", {"images": ("check", "right")}),
        *({"filename_prefix": "headcount/right"}, "Only the right pictures"),
    )
    check, table = checked("decode", "counted", {"if_none_right": "stop"})
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        Group(
            *("Draw and count", PURPLE, (920, 0)),
            (
                (300, (sampler("sampler", "model"), decode("decode", "sampler"), counter(SHAPES_COUNTER))),
                (380, (counted("counted", "decode"),)),
            ),
        ),
        Group("Keep what is right", GREEN, (1760, 0), ((380, (check, table)), (380, (saved,)))),
    )


def t2icount_photo() -> tuple[Group, ...]:
    """A picture of one's own, counted by the authors' network."""
    note = Placed("note", NOTE, widgets={"text": PHOTO_NOTE}, title="What to do", extra_height=360)
    links = {"t2icount": ("counter", "T2ICOUNT"), "image": ("photo", "IMAGE")}
    counted = Placed("counted", "HeadcountT2ICountCounter", links, {"text": "cats"})
    shown = Placed("table", "PreviewAny", {"source": ("counted", "table")}, title="How many")
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group(
            *("Picture and counter", BLUE, (440, 0)),
            ((340, (Placed("photo", "LoadImage", {}, {"image": "example.png"}), counter(OFFICIAL_COUNTER))),),
        ),
        Group("How many", GREEN, (880, 0), ((420, (counted,)), (340, (shown,)))),
    )


_SEARCHED = {
    "model": ("model", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT"), "vae": ("model", "VAE"),
}  # fmt: skip


def _with_seed(key: str, search: str) -> tuple[Placed, ...]:
    """Sampler and VAE Decode that make the picture of the seed that `search` found."""
    chosen = {"latent_image": (search, "LATENT"), "seed": (search, "seed")}
    return sampler(key, "model", **chosen), decode(f"{key}_decode", key)


def count_search() -> tuple[Group, ...]:
    """The first seed, and the one that Count Search finds."""
    note = Placed("note", NOTE, widgets={"text": SEARCH_NOTE}, title="What to do", extra_height=400)
    start = source("four green hearts", 1)
    links = {**_SEARCHED, "counter": ("counter", "T2ICOUNT")}
    table = Placed("tried", "PreviewAny", {"source": ("search", "table")}, title="The seeds tried", extra_height=90)
    shown = Placed("picture", "PreviewImage", {"images": ("decode", "IMAGE")}, title="As it comes")
    saved = Placed(
        *("chosen_picture", "SaveImage", {"images": ("chosen_decode", "IMAGE")}),
        *({"filename_prefix": "headcount/searched"}, "The chosen seed"),
    )
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        Group(
            *("As it comes", GREY, (920, 0)),
            ((300, ()), (290, (sampler("sampler", "model"), decode("decode", "sampler"))), (380, (shown,))),
        ),
        Group(
            *("The chosen seed", GREEN, (920, 500)),
            (
                (300, (counter(SHAPES_COUNTER), Placed("search", "HeadcountCountSearch", links, SAMPLING), table)),
                (290, _with_seed("chosen", "search")),
                (380, (saved,)),
            ),
        ),
        Group(
            *("Is it right?", PURPLE, (2090, 500)),
            ((380, (counted("counted", "chosen_decode"),)), (380, checked("chosen_decode", "counted"))),
        ),
    )


def count_search_pick() -> tuple[Group, ...]:
    """The same in two parts, between which any counter or detector can sit."""
    note = Placed("note", NOTE, widgets={"text": PICK_NOTE}, title="What to do", extra_height=340)
    start = source("three red circles", 1)
    candidates = Placed("candidates", "HeadcountCountSearchCandidates", _SEARCHED, SAMPLING)
    links = {
        "candidates": ("candidates", "CANDIDATES"),
        "counted": ("counted", "COUNTED"),
        "counts": ("prompt", "COUNTS"),
    }
    table = Placed("tried", "PreviewAny", {"source": ("pick", "table")}, title="The seeds tried", extra_height=90)
    saved = Placed(
        *("chosen_picture", "SaveImage", {"images": ("chosen_decode", "IMAGE")}),
        *({"filename_prefix": "headcount/picked"}, "The chosen seed"),
    )
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        Group("What seeds will make", PURPLE, (920, 0), ((300, (candidates,)),)),
        Group(
            *("Count them, with any counter or detector", PURPLE, (1320, 0)),
            ((380, (counter(SHAPES_COUNTER), counted("counted", "candidates"))),),
        ),
        Group(
            *("The chosen seed", GREEN, (1800, 0)),
            (
                (300, (Placed("pick", "HeadcountCountSearchPick", links), table)),
                (290, _with_seed("chosen", "pick")),
                (380, (saved,)),
            ),
        ),
    )
