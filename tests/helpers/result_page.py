"""Every node that shows a result, in one graph of ComfyUI's page, for tests in a real browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import ElementHandle, Page

from demo.counting_workflows import SHAPES_COUNTER, counted, counter
from demo.workflow_file import Group, Placed, workflow_file
from demo.workflow_parts import GREY, PROMPTS, decode, sampler, source

from .comfy_page import settle

SHOWN = {
    "prompt": "HeadcountCountPrompt",
    "counted": "HeadcountT2ICountCounter",
    "check": "HeadcountCountCheck",
    "search": "HeadcountCountSearch",
    "pick": "HeadcountCountSearchPick",
    "selection": "HeadcountIsacLatentSelection",
    "masks": "HeadcountInstanceMasks",
}
"""Keys of the nodes with a result, and what they are."""

SAVED = "results/right"
"""Where the right image is saved."""

_QUICK = {"seed": 6, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
_CARD = """kind => {
  const node = window.app.graph.nodes.find(node => node.type === kind);
  return node?.widgets?.find(widget => widget.name === 'result')?.element ?? null;
}"""
_PLACE = """([kind, scale]) => {
  const { graph, canvas } = window.app;
  const node = graph.nodes.find(node => node.type === kind);
  Object.assign(canvas.ds, { scale, offset: [150 / scale - node.pos[0], 150 / scale - node.pos[1]] });
  canvas.setDirty(true, true);
}"""


def every_result(schemas: dict[str, Any]) -> dict[str, Any]:
    """A workflow with two images, of which one has the asked circle, checked with *stop*; each of the other nodes once."""
    looked = {"model": ("model", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT")}
    looks = _QUICK | {"seeds": 2, "decide_at": 1.0, "at_once": 2}
    vae = {"vae": ("model", "VAE")}
    checked = {"image": ("decode", "IMAGE"), "counted": ("counted", "COUNTED"), "counts": ("prompt", "COUNTS")}
    picked = {
        "candidates": ("candidates", "CANDIDATES"),
        "counted": ("seen", "COUNTED"),
        "counts": ("prompt", "COUNTS"),
    }
    found = {"maps": ("recorder", "MAPS"), "samples": ("sampler", "LATENT")}
    search = Placed("search", SHOWN["search"], {**looked, **vae, "counter": ("counter", "T2ICOUNT")}, looks)
    selection = Placed("selection", SHOWN["selection"], looked, _QUICK | {"candidates": 4})
    plain = sampler("sampler", "recorder")
    columns = (
        source("a circle", 2),
        (Placed("recorder", "HeadcountAttentionMapRecorder", {"model": ("model", "MODEL")}), _quickly(plain)),
        (decode("decode", "sampler"), counter(SHAPES_COUNTER), counted("counted", "decode")),
        (
            Placed("check", SHOWN["check"], checked, {"if_none_right": "stop"}),
            Placed("masks", SHOWN["masks"], found),
        ),
        (search, selection, Placed("candidates", "HeadcountCountSearchCandidates", {**looked, **vae}, looks)),
        (counted("seen", "candidates"), Placed("pick", SHOWN["pick"], picked)),
        (*_texts(), Placed("right", "SaveImage", {"images": ("check", "right")}, {"filename_prefix": SAVED})),
    )  # fmt: skip
    return workflow_file((Group("Results", GREY, (0, 0), tuple((360, column) for column in columns)),), schemas)


def _quickly(node: Placed) -> Placed:
    return Placed(node.key, node.type, node.links, _QUICK)


def _texts() -> list[Placed]:
    """Something after each node that nothing else would run."""
    tables = [("search", "table"), ("pick", "table"), ("selection", "table"), ("masks", "STRING")]
    return [Placed(f"{key} text", "PreviewAny", {"source": (key, name)}) for key, name in tables]


class ResultPage:
    """The nodes' results in the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def card(self, kind: str) -> ElementHandle | None:
        """The result in the first node of a kind; None where the node shows none."""
        return self.page.evaluate_handle(_CARD, kind).as_element()

    def place(self, kind: str, scale: float = 1.0) -> None:
        """Bring the first node of a kind into sight."""
        self.page.evaluate(_PLACE, [kind, scale])
        settle(self.page)

    def texts(self) -> dict[str, str]:
        """What each of the nodes of SHOWN shows, by its key."""
        cards = {key: self.card(kind) for key, kind in SHOWN.items()}
        return {key: "" if card is None else card.inner_text() for key, card in cards.items()}
