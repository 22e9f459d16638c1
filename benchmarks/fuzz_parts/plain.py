"""The same graph without the pack: tells an error of the pack from one that plain ComfyUI gives just as well.

A node of the pack with a text encoder and a text becomes CLIP Text Encode, one that samples becomes a KSampler and a decoder.
Of every other one each output stands for the input of its type, or, where it has none, for something plain of that type.
Loaders stay, since a graph needs a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.comfy_client import Prompt

from .catalogue import Catalogue, Node

SAMPLED = ("model", "positive", "negative", "latent_image")
SAMPLING = {"seed": 0, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
DECODED = "_decoded"  # added to the id of a node that samples and decodes
SIZE = {"width": 128, "height": 128}


@dataclass(frozen=True)
class _Of:
    """An input of something plain that takes another plain thing."""

    kind: str


GONE = object()  # a socket that plain ComfyUI has nothing for
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "IMAGE": ("EmptyImage", {**SIZE, "batch_size": 1, "color": 0}),
    # The pack's masks are as many as it found or counted, which need not be the number of images: core nodes mind that.
    "MASK": ("ImageToMask", {"image": _Of("SEVERAL"), "channel": "red"}),
    "SEVERAL": ("EmptyImage", {**SIZE, "batch_size": 7, "color": 0}),
    "LATENT": ("EmptyLatentImage", {**SIZE, "batch_size": 1}),
    "BOUNDING_BOX": ("PrimitiveBoundingBox", {**SIZE, "x": 0, "y": 0}),
    "INT": ("PrimitiveInt", {"value": 1}),
    "FLOAT": ("PrimitiveFloat", {"value": 1.0}),
    "STRING": ("PrimitiveString", {"value": "circles"}),
    "BOOLEAN": ("PrimitiveBoolean", {"value": True}),
}


def without_pack(prompt: Prompt, failed: str, catalogue: Catalogue) -> Prompt | None:
    """What of the graph leads to the node `failed`, with core nodes only, and an end that makes ComfyUI run it.

    Returns:
        None where plain ComfyUI has nothing in the place of the failed node.
    """
    plain = _Plain(prompt, catalogue)
    end = plain.end(failed)
    if end is None:
        return None
    shown = {f"{failed}_shown": {"class_type": "PreviewAny", "inputs": {"source": [end, 0]}}}
    return {**plain.found, **shown}


class _Plain:
    """The plain graph in the making, `found`, under the ids of the nodes that it stands for."""

    def __init__(self, prompt: Prompt, catalogue: Catalogue) -> None:
        self._prompt = prompt
        self._nodes = catalogue.nodes
        self.found: Prompt = {}

    def end(self, failed: str) -> str | None:
        """Place the failed node, or what does its work. Returns the id of the last node of it."""
        node = self._nodes[self._prompt[failed]["class_type"]]
        if not self._taken_out(node, failed):
            return self._keep(failed)
        inputs = self._prompt[failed]["inputs"]
        if any(name not in inputs for name in SAMPLED):
            return None
        sampling = {name: inputs.get(name, usual) for name, usual in SAMPLING.items()}
        self._place(failed, "KSampler", {**sampling, **{name: inputs[name] for name in SAMPLED}})
        if "vae" not in inputs:
            return failed
        self._place(failed + DECODED, "VAEDecode", {"vae": inputs["vae"]})
        self.found[failed + DECODED]["inputs"]["samples"] = [failed, 0]
        return failed + DECODED

    def _taken_out(self, node: Node, name: str) -> bool:
        """Whether a node has to go: one of the pack that is neither a loader nor has a core node in its place."""
        return node.ours and bool(node.links) and not self._encodes(name)

    def _encodes(self, name: str) -> bool:
        return {"clip", "text"} <= set(self._prompt[name]["inputs"])

    def _keep(self, name: str) -> str:
        if name not in self.found:
            placed = self._prompt[name]
            kind, inputs = placed["class_type"], placed["inputs"]
            if self._nodes[kind].ours and self._nodes[kind].links:
                kind, inputs = "CLIPTextEncode", {key: inputs[key] for key in ("clip", "text")}
            self._place(name, kind, inputs)
        return name

    def _place(self, name: str, kind: str, inputs: dict[str, Any]) -> None:
        self.found[name] = {"class_type": kind, "inputs": {}}
        given = {key: self._value(value) for key, value in inputs.items()}
        self.found[name]["inputs"] = {key: value for key, value in given.items() if value is not GONE}

    def _value(self, value: Any) -> Any:
        """A widget's value as it is; a link, followed to what is left; GONE where nothing is."""
        if not isinstance(value, list):
            return value
        name, slot = value
        node = self._nodes[self._prompt[name]["class_type"]]
        if not self._taken_out(node, name):
            return (
                [self._keep(name), slot]
                if not self._encodes(name) or slot == 0 or not node.ours
                else self._stand_in(node, slot)
            )
        return self._behind(name, node, slot)

    def _behind(self, name: str, node: Node, slot: int) -> Any:
        """What an output of a node that goes stands for: the input of its name and type, else the first of its type."""
        kind, inputs = node.outputs[slot], self._prompt[name]["inputs"]
        fitting = [one.name for one in node.links if kind in one.kinds and isinstance(inputs.get(one.name), list)]
        if not fitting:
            return self._stand_in(node, slot)
        called = node.output_names[slot].lower()
        return self._value(inputs[called if called in fitting else fitting[0]])

    def _stand_in(self, node: Node, slot: int) -> Any:
        kind = node.outputs[slot]
        return self._plain(kind) if kind in PLAIN else GONE

    def _plain(self, kind: str) -> list[Any]:
        """A link to what stands for a type; what that hangs on is placed, too."""
        name = f"plain_{kind}"
        plain, inputs = PLAIN[kind]
        given = {key: self._plain(value.kind) if isinstance(value, _Of) else value for key, value in inputs.items()}
        self.found[name] = {"class_type": plain, "inputs": given}
        return [name, 0]
