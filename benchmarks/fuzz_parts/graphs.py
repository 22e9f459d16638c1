"""Grows a random graph: from a node that is wanted back to the loaders, along the types of the sockets."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from demo.comfy_client import Prompt

from .catalogue import ANY, Catalogue, Input, Node
from .values import value_for

DEEP = 7  # from here on, a type is taken from where it takes the fewest nodes
MANY = 45  # nodes; beyond, what is there is used again wherever it fits
REUSE, NEWEST = 0.8, 0.8
ODD = 0.3  # how often what is there is taken though it seldom stands before such an input
CORE_TOO = 0.3  # the share of graphs that also grow from a core node
WILD = 0.3  # the share of graphs that may hold what no page would send
CANCELLED = 0.05
PREVIEWS = {"IMAGE": ("PreviewImage", "images"), "MASK": ("MaskPreview", "mask")}
# Where an input of this name usually comes from: its type alone would as often bring what makes no sense.
USUAL = {
    "samples": ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"),
    "latent_image": (
        *("EmptyLatentImage", "EmptyLatentImage", "EmptyLatentImage", "EmptyLatentImage"),
        *("VAEEncode", "HeadcountCountSearch", "EmptyHunyuanLatentVideo"),
    ),
    "positive": ("HeadcountCountPrompt",),
    "negative": ("CLIPTextEncode",),
    "conditioning": ("HeadcountCountPrompt",),
    "image": ("VAEDecode", "VAEDecode", "EmptyImage", "LoadImage"),
    "pixels": ("EmptyImage", "VAEDecode"),
    "sigmas": ("BasicScheduler",),
    "noise": ("RandomNoise",),
}


@dataclass(frozen=True)
class Graph:
    """A graph to run.

    Attributes:
        number: with the seed of all, what it was made from.
        wild: it may hold what no page would send.
        cancel_after: seconds after which it is cancelled; None: it is not.
    """

    number: int
    prompt: Prompt
    wild: bool
    cancel_after: float | None = None

    @property
    def classes(self) -> set[str]:
        """Its nodes' classes."""
        return {node["class_type"] for node in self.prompt.values()}


def random_graph(catalogue: Catalogue, seed: int, number: int) -> Graph:
    """The graph `number` of the seed: the same for the same nodes on the server."""
    rng = Random(f"{seed}/{number}")
    wild = rng.random() < WILD
    growing = _Growing(rng, catalogue, wild)
    for _ in range(rng.choice((1, 1, 1, 2))):
        growing.grow(rng.choice(catalogue.ours))
    if rng.random() < CORE_TOO:
        growing.grow(rng.choice(catalogue.core))
    growing.show()
    cancel_after = rng.uniform(0.0, 2.0) if rng.random() < CANCELLED else None
    return Graph(number, growing.prompt, wild, cancel_after)


class _Growing:
    """A graph in the making; `made` are the outputs that there are, oldest first: (type, node's class, link)."""

    def __init__(self, rng: Random, catalogue: Catalogue, wild: bool) -> None:
        self._rng = rng
        self._catalogue = catalogue
        self._wild = wild
        self.prompt: Prompt = {}
        self.made: list[tuple[str, str, list[Any]]] = []

    def grow(self, node: Node, depth: int = 0) -> str:
        """Place a node and all that stands behind it. Returns its id."""
        wanted = [one for one in node.inputs if one.required or self._chance(0.5 if one.is_widget else 0.35)]
        inputs = {one.name: self._given(node, one, depth) for one in wanted}
        given = {one.name: inputs[one.name] for one in wanted if one.is_widget or inputs[one.name] is not None}
        name = str(len(self.prompt) + 1)
        self.prompt[name] = {"class_type": node.name, "inputs": given}
        self.made += [(kind, node.name, [name, slot]) for slot, kind in enumerate(node.outputs)]
        return name

    def show(self) -> None:
        """Give every output that nothing takes an end: a sampler and a decoder, or a preview."""
        for link in self._loose("MODEL"):
            self._end("KSampler", "model", link)
        for link in self._loose("LATENT"):
            if self.prompt[link[0]]["class_type"] not in USUAL["samples"]:
                self._end("KSampler", "latent_image", link)
        for link in self._loose("LATENT"):
            if self.prompt[link[0]]["class_type"] in USUAL["samples"]:
                self._end("VAEDecode", "samples", link)
        for node_id, placed in list(self.prompt.items()):
            node = self._catalogue.nodes[placed["class_type"]]
            if node.ours or not self._used(node_id):
                self._preview(node_id, node)

    def _end(self, name: str, field: str, link: list[Any]) -> None:
        last = self.grow(self._catalogue.nodes[name])
        self.prompt[last]["inputs"][field] = link

    def _preview(self, node_id: str, node: Node) -> None:
        for slot, kind in enumerate(node.outputs):
            if self._chance(0.5) or not (node.shows or self._used(node_id)):
                preview, name = PREVIEWS.get(kind, ("PreviewAny", "source"))
                shown = {"class_type": preview, "inputs": {name: [node_id, slot]}}
                self.prompt[str(len(self.prompt) + 1)] = shown

    def _used(self, node_id: str) -> bool:
        return any(value[0] == node_id for value in self._links())

    def _loose(self, kind: str) -> list[list[Any]]:
        taken = [tuple(value) for value in self._links()]
        return [link for made, _, link in self.made if made == kind and tuple(link) not in taken and self._chance(0.7)]

    def _links(self) -> list[list[Any]]:
        every = (value for placed in self.prompt.values() for value in placed["inputs"].values())
        return [value for value in every if isinstance(value, list)]

    def _given(self, node: Node, one: Input, depth: int) -> Any:
        """A link or a widget's value; None where nothing fits."""
        if self._wild and node.ours and self._chance(0.015):
            return self._rng.choice(self.made)[2] if self.made and self._chance(0.7) else None
        if one.is_widget and not (self._chance(0.06) and any(kind in one.kinds for kind, _, _ in self.made)):
            return value_for(self._rng, node, one, self._wild)
        return self._link(one, depth)

    def _link(self, one: Input, depth: int) -> list[Any] | None:
        usual = USUAL.get(one.name, ())
        there = [(name, link) for kind, name, link in self.made if kind in one.kinds or ANY in one.kinds]
        fitting = [link for name, link in there if name in usual]
        if not fitting and (not usual or self._chance(ODD)):
            fitting = [link for _, link in there]
        if fitting and (len(self.prompt) > MANY or self._chance(REUSE)):
            return fitting[-1] if self._chance(NEWEST) else self._rng.choice(fitting)
        sources = self._catalogue.giving(one.kinds)
        if not sources or (depth > DEEP and not one.required):
            return self._rng.choice(fitting) if fitting else None
        node, slot = self._source(sources, usual, depth)
        return [self.grow(node, depth + 1), slot]

    def _source(self, sources: list[tuple[Node, int]], usual: tuple[str, ...], depth: int) -> tuple[Node, int]:
        effort = self._catalogue.effort
        if depth > DEEP or len(self.prompt) > MANY:
            return min(sources, key=lambda source: effort[source[0].name])
        common = [source for name in usual for source in sources if source[0].name == name]
        if common and self._chance(0.65):
            return self._rng.choice(common)
        return self._rng.choice(sources)

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share
