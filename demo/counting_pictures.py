"""Makes the pictures of the help pages and workflows about counting."""

from __future__ import annotations

from PIL import Image

from .asks import SHAPES_ASKS
from .contact_sheet import captioned
from .counting_runs import REPORT, UNTIL_RIGHT, lined_up, run_as_saved, run_counting, run_report, run_until_right
from .picture_files import HELP, save, square_thumbnail, thumbnail, thumbnail_path
from .server import ComfyServer

SEED = 1
_KEEP_RIGHT = "Shapes - keep only right images"
_EMOJI_KEEP_RIGHT = "Emoji - keep only right images"
_REPAIR = "Repair an image with a wrong number"
_SEARCH = "Shapes - find a seed that counts right"
_PICK = "Shapes - find a seed with any detector"
_EVERYTHING = "Shapes - everything together"
_EMOJI_PROMPTS = ("four apples", "two dogs", "three tigers", "five strawberries")

# Template -> captions of what its thumbnail shows, and the classes of the nodes that show it.
TEMPLATES = {
    "3 Look inside the model": {
        "where the words end up": "HeadcountAttentionMapViewer",
        "found": "HeadcountInstanceMasks",
    },
    "2 Keep only right images": {"counted": "HeadcountT2ICountCounter"},
    "1 Start here - the right number": {"with": "SaveImage", "without": "PreviewImage"},
}


def check_pictures(server: ComfyServer) -> None:
    """A batch, counted and checked; the thumbnail of its template."""
    run = run_counting(server, _KEEP_RIGHT, "four red circles", SEED, 8)
    kept = [("kept", picture) for picture in run.saved[:4]]
    save(captioned([*lined_up(run.verdicts, run.counted, 4), kept], 192), HELP / "HeadcountCountCheck" / "kept.jpg")
    thumbnail(lined_up(run.verdicts, run.counted, 2)[:2], _KEEP_RIGHT)


def emoji_pictures(server: ComfyServer) -> None:
    """What the emoji model makes of some prompts, counted; the thumbnail of its template."""
    runs = [run_counting(server, _EMOJI_KEEP_RIGHT, text, SEED, 4) for text in _EMOJI_PROMPTS]
    lines = [list(zip(run.verdicts, run.counted, strict=True)) for run in runs]
    save(captioned(lines, 192), HELP / "HeadcountLoadDemoModel" / "emoji.jpg")
    thumbnail([lines[0][:2], lines[0][2:]], _EMOJI_KEEP_RIGHT)


def repair_pictures(server: ComfyServer) -> None:
    """A batch before and after its repair, of which the pictures that were changed are shown; the thumbnail of its template."""
    run = run_counting(server, _REPAIR, "five oranges", 3, 4)  # as the workflow has it
    pairs = zip(run.plain, run.saved, strict=True)
    lines = [[("before", plain), ("after Count Repair", mended)] for plain, mended in pairs if (plain != mended).any()]
    save(captioned([[cell for line in lines[:2] for cell in line]], 192), HELP / "HeadcountCountRepair" / "mended.jpg")
    thumbnail(lines[:2], _REPAIR)


def until_right_pictures(server: ComfyServer) -> None:
    """The first right picture of four prompts; the thumbnail of its template."""
    cells = [(text, run_until_right(server, text, SEED)) for text in _EMOJI_PROMPTS]
    save(captioned([cells], 192), HELP / "HeadcountGenerateUntilRight" / "right.jpg")
    thumbnail([cells[:2], cells[2:]], UNTIL_RIGHT)


def report_pictures(server: ComfyServer) -> None:
    """What Count Report saves, and the thumbnail of its template."""
    report = Image.fromarray(run_report(server))
    save(report, HELP / "HeadcountCountReport" / "report.jpg")
    square_thumbnail(report, thumbnail_path(REPORT))


def template_pictures(server: ComfyServer) -> None:
    """Thumbnails of the first templates, each from a run of the very file."""
    for name, kinds in TEMPLATES.items():
        lines = run_as_saved(server, name, kinds)
        thumbnail([line[:2] for line in lines] if len(lines) > 1 else [lines[0][:2], lines[0][2:4]], name)


def counter_pictures(server: ComfyServer) -> None:
    """Overlays of a prompt with two nouns."""
    run = run_counting(server, _KEEP_RIGHT, "three circles and two stars", SEED, 2)
    captions = ["circles", "stars", "circles", "stars"]
    save(captioned(lined_up(captions, run.counted, 4), 192), HELP / "HeadcountT2ICountCounter" / "counted.jpg")


def search_pictures(server: ComfyServer) -> None:
    """The first seed and the found one, for some prompts; the thumbnail of its template."""
    lines = []
    for number, ask in enumerate(SHAPES_ASKS[1:5]):
        run = run_counting(server, _SEARCH, ask.prompt, SEED + number, 1)
        lines.append([(ask.prompt, run.plain[0]), ("the chosen seed", run.saved[0])])
    save(captioned([lines[0] + lines[1], lines[2] + lines[3]], 192), HELP / "HeadcountCountSearch" / "chosen.jpg")
    thumbnail([[("as it comes", a[1]), ("chosen", b[1])] for a, b in lines[:2]], _SEARCH)


def pick_pictures(server: ComfyServer) -> None:
    """What seeds will make, counted, and the one that was picked; the thumbnail of its template."""
    run = run_counting(server, _PICK, "three red circles", SEED, 1)
    seeds = [f"seed {SEED + number}" for number in range(len(run.counted))]
    lines = lined_up(seeds, run.counted, 4)
    save(captioned(lines, 192), HELP / "HeadcountCountSearchCandidates" / "candidates.jpg")
    picked = [*lines[0][:3], ("the chosen seed", run.saved[0])]
    save(captioned([picked], 192), HELP / "HeadcountCountSearchPick" / "picked.jpg")
    thumbnail([picked[:2], picked[2:]], _PICK)


def everything_pictures(server: ComfyServer) -> None:
    """The thumbnail of its template."""
    run = run_counting(server, _EVERYTHING, "three hearts and two squares", SEED, 4)
    kept = [("kept", picture) for picture in run.saved[:2]]
    thumbnail([kept, lined_up(["hearts", "squares"], run.counted[:2], 2)[0]], _EVERYTHING)
