"""Makes every picture of the README, the help pages and the workflows anew: `make pictures`, after a change of the model.

Those of the page itself need chromium; without it they stay as they are.
"""

from __future__ import annotations

from itertools import islice

from .asks import SHAPES_ASKS
from .browser import CHROMIUM
from .contact_sheet import captioned, contact_sheet
from .counting_pictures import (
    check_pictures,
    counter_pictures,
    emoji_pictures,
    everything_pictures,
    pick_pictures,
    repair_pictures,
    report_pictures,
    search_pictures,
    template_pictures,
    until_right_pictures,
)
from .page_pictures import photograph_page
from .page_recording import record_first_minute
from .picture_files import HELP, WORKFLOWS, save, square_thumbnail, thumbnail
from .report import make_row
from .run import judged, sample_rows
from .server import ComfyServer
from .shapes import PLURALS
from .view_pictures import photograph_view
from .workflow_runs import ATTENTION, ISAC, NUMINA, SELECTION, run_attention, run_selection, run_with_and_without

SEED = 1
_GUIDED = (SHAPES_ASKS[8], SHAPES_ASKS[3], SHAPES_ASKS[6])


def demo_pictures(server: ComfyServer) -> None:
    """The first prompts of the demo as it draws them; the README begins with them."""
    rows = islice(sample_rows(server, 3, SEED, judged()), 3)
    save(contact_sheet(list(rows)), HELP / "HeadcountIsacAttentionControl" / "with_and_without.jpg")


def isac_pictures(server: ComfyServer) -> None:
    """Some pictures without and with ISAC: the thumbnail of its template."""
    without, steered = run_with_and_without(server, SHAPES_ASKS[0].prompt, 4, SEED)
    pairs = zip(without[:2], steered[:2], strict=True)
    thumbnail([[("without ISAC", a), ("with ISAC", b)] for a, b in pairs], ISAC.workflow)


def numina_pictures(server: ComfyServer) -> None:
    """Some prompts without and with NUMINA, the first of them as the thumbnail of its template."""
    rows = []
    for number, ask in enumerate(_GUIDED):
        without, steered = run_with_and_without(server, ask.prompt, 4, SEED + number, NUMINA)
        rows.append(make_row(ask, {"without Count Guide": without, "with Count Guide, same noise": steered}))
    save(contact_sheet(rows), HELP / "HeadcountNuminaCountGuide" / "with_and_without.jpg")
    pairs = zip(*(column.pictures[:2] for column in rows[0].columns.values()), strict=True)
    thumbnail([[("without", a), ("with the guide", b)] for a, b in pairs], NUMINA.workflow)


def selection_pictures(server: ComfyServer) -> None:
    """The first noise of a seed and the chosen one, for some prompts; the thumbnail of its template."""
    asks = SHAPES_ASKS[1:5]
    pairs = [run_selection(server, ask.prompt, SEED + number) for number, ask in enumerate(asks)]
    lines = [
        [(ask.prompt, first), ("the chosen noise", chosen)] for ask, (first, chosen) in zip(asks, pairs, strict=True)
    ]
    save(
        captioned([lines[0] + lines[1], lines[2] + lines[3]], 192), HELP / "HeadcountIsacLatentSelection" / "chosen.jpg"
    )
    thumbnail([[("as it comes", first), ("chosen", chosen)] for first, chosen in pairs[:2]], SELECTION)


def attention_pictures(server: ComfyServer) -> None:
    """What the template that looks inside the model shows: the viewer, the recorder, the masks, the thumbnail."""
    lines = run_attention(server, SEED)
    overview = lines[0]
    save(captioned(lines), HELP / "HeadcountAttentionMapViewer" / "words_regions_steps.jpg")
    save(captioned([overview[:3]], 192), HELP / "HeadcountAttentionMapRecorder" / "words.jpg")
    save(captioned([[overview[0], overview[-1]]], 192), HELP / "HeadcountInstanceMasks" / "masks.jpg")
    thumbnail([overview[:2], overview[2:4]], ATTENTION)


def model_pictures(server: ComfyServer) -> None:
    """Three of each noun that the Shapes model knows."""
    drawn = []
    for noun in PLURALS.values():
        without, _ = run_with_and_without(server, f"three {noun}", 1, SEED)
        drawn.append((f"three {noun}", without[0]))
    save(captioned([drawn[:4], drawn[4:]]), HELP / "HeadcountLoadShapesDemoModel" / "shapes.jpg")


def main() -> None:
    """Run everything in one server."""
    with ComfyServer() as server:
        demo_pictures(server)
        isac_pictures(server)
        numina_pictures(server)
        selection_pictures(server)
        attention_pictures(server)
        model_pictures(server)
        check_pictures(server)
        emoji_pictures(server)
        repair_pictures(server)
        until_right_pictures(server)
        report_pictures(server)
        template_pictures(server)
        counter_pictures(server)
        search_pictures(server)
        pick_pictures(server)
        everything_pictures(server)
        if CHROMIUM is None:
            print("no chromium on this machine: the pictures of the page stay as they are")
            return
        for picture, path in photograph_page(server):
            (square_thumbnail if path.parent == WORKFLOWS else save)(picture, path)
        save(photograph_view(server), HELP / "HeadcountAttentionMapViewer" / "view.jpg")
    with ComfyServer() as fresh:  # the other one has run the template, and would show what it kept
        record_first_minute(fresh, HELP / "HeadcountGenerateUntilRight" / "first_minute.webp")


if __name__ == "__main__":
    main()
