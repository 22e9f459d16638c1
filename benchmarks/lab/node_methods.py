"""Methods as an artist connects them: nodes of the pack with the defaults of their schemas, and what is written to change them.

A method is written as parts joined by "+", each with settings behind ":", such as `isac_fast+search:seeds=4`.
Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headcount.bridge.isac.presets import CUSTOM, PRESETS
from headcount.core.errors import CountError
from headcount.nodes.count_repair import CountRepair
from headcount.nodes.count_search import CountSearch
from headcount.nodes.generate_until_right import GenerateUntilRight
from headcount.nodes.isac_attention_control import IsacAttentionControl
from headcount.nodes.isac_latent_selection import IsacLatentSelection
from headcount.nodes.numina_count_guide import NuminaCountGuide

from ..ablation_nodes.detected import NuminaDetected
from ..ablation_nodes.isac import IsacAblation
from ..ablation_nodes.numina import NuminaAblation

PLAIN = "plain"
_OF_THE_SAMPLER = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")


@dataclass(frozen=True)
class Kind:
    """What a part of a method can be.

    Attributes:
        does: "steers" or "guides" the model, "chooses" the noise, or "repairs" the picture; a method has one part of each at
            most. What "makes" the whole picture stands alone.
        node: None for `best_of`.
        given: settings that differ from the node's defaults; all settings where there is no node.
        counts: it asks the world's decider.
    """

    does: str
    node: Any
    given: Mapping[str, Any] = field(default_factory=dict)
    counts: bool = False

    @property
    def node_id(self) -> str | None:
        """Under which ComfyUI knows the node; None for what is none."""
        return getattr(self.node.define_schema(), "node_id", None) if self.node else None

    def settings(self) -> dict[str, Any]:
        """All settings, those of the sampler left out."""
        inputs = self.node.define_schema().inputs if self.node else ()
        defaults = {one.id: one.default for one in inputs if getattr(one, "default", None) is not None}
        return {name: value for name, value in {**defaults, **self.given}.items() if name not in _OF_THE_SAMPLER}


KINDS = {
    # A preset would take the place of every setting that is changed here.
    "isac_fast": Kind("steers", IsacAttentionControl, {"mode": "fast", "preset": CUSTOM}),
    "isac_exact": Kind("steers", IsacAttentionControl, {"mode": "exact", "preset": CUSTOM}),
    "isac_paper": Kind("steers", IsacAttentionControl, {**PRESETS["paper"], "preset": CUSTOM}),
    "isac_ablation": Kind("steers", IsacAblation),
    "numina": Kind("guides", NuminaCountGuide),
    "numina_ablation": Kind("guides", NuminaAblation),
    "numina_detected": Kind("guides", NuminaDetected, counts=True),
    "selection": Kind("chooses", IsacLatentSelection),
    "search": Kind("chooses", CountSearch, counts=True),
    "repair": Kind("repairs", CountRepair, counts=True),
    "until_right": Kind("makes", GenerateUntilRight, counts=True),
    # Not a node: pictures of so many seeds are finished, and the decider takes the best. What a search has to beat.
    "best_of": Kind("chooses", None, {"pictures": 2}, counts=True),
}
_ORDER = ("steers", "guides", "chooses", "repairs", "makes")


@dataclass(frozen=True)
class Method:
    """What is done for a picture.

    Attributes:
        name: as it was written.
        parts: name in `KINDS` -> all of its settings, in the order in which the nodes are connected.
    """

    name: str
    parts: dict[str, dict[str, Any]]

    @property
    def key(self) -> str:
        """Everything that decides what it does."""
        return json.dumps(self.parts, sort_keys=True)

    @property
    def counts(self) -> bool:
        """Whether it asks the decider."""
        return any(KINDS[name].counts for name in self.parts)

    def part(self, does: str) -> tuple[str, dict[str, Any]] | None:
        """Name and settings of the part that steers, guides, chooses or repairs."""
        return next((one for one in self.parts.items() if KINDS[one[0]].does == does), None)


def read_method(text: str) -> Method:
    """The method that is written so.

    Raises:
        CountError: a part, setting or value that there is not, or parts that do the same.
    """
    if text == PLAIN:
        return Method(text, {})
    parts = dict(_read_part(part) for part in text.split("+"))
    done = [KINDS[name].does for name in parts]
    if len(parts) < text.count("+") + 1 or len(set(done)) < len(done):
        raise CountError(f"--methods {text}: only one part may steer, one guide, one choose the noise, and one repair")
    if "makes" in done and len(done) > 1:
        raise CountError(f"--methods {text}: until_right makes the whole picture and stands alone")
    return Method(text, dict(sorted(parts.items(), key=lambda one: _ORDER.index(KINDS[one[0]].does))))


def read_methods(texts: Sequence[str]) -> list[Method]:
    """The methods that are written so, each once, plain sampling first.

    Raises:
        CountError: see `read_method`.
    """
    return [read_method(text) for text in dict.fromkeys((PLAIN, *texts))]


def _read_part(text: str) -> tuple[str, dict[str, Any]]:
    name, *changes = text.split(":")
    if name not in KINDS:
        raise CountError(f"--methods: there is no {name!r}; there are {', '.join((PLAIN, *KINDS))}, joined by +")
    settings = KINDS[name].settings()
    for change in changes:
        setting, _, value = change.partition("=")
        if setting not in settings:
            raise CountError(f"--methods: {name} has no setting {setting!r}; it has {', '.join(settings)}")
        settings[setting] = _read_value(f"{name}:{setting}", value, type(settings[setting]))
    if settings.get("pictures", 1) < 1:
        raise CountError(f"--methods: {text} makes no picture; at least one has to be made")
    return name, settings


def _read_value(name: str, text: str, kind: type) -> Any:
    """A value of the type of the default; the node itself refuses what it does not offer."""
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError) as error:
        raise CountError(f"--methods: {name}={text} has to be a value of type {kind.__name__}") from error
