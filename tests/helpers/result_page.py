"""Every node that shows a result, in one graph of ComfyUI's page, for tests in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import ElementHandle, Page

from .comfy_page import settle

EVERY_RESULT = json.loads((Path(__file__).resolve().parent.parent / "golden" / "every_result.json").read_text())
"""A workflow with two images, of which one has the asked circle, checked with *stop*; each of the other nodes once."""

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
