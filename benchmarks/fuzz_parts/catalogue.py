"""The nodes that graphs are made of, as the server describes them: every node of the pack, and the core nodes named here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from demo import node_widgets
from demo.comfy_host import PACK

# What people put around the pack's nodes. Left out are nodes that need a model file, and those that only move words about.
CORE = """
CLIPTextEncode CLIPSetLastLayer SetClipHooks
ConditioningCombine ConditioningConcat ConditioningAverage ConditioningMultiply ConditioningSetArea
ConditioningSetAreaPercentage ConditioningSetMask ConditioningSetProperties ConditioningSetTimestepRange
ConditioningZeroOut InpaintModelConditioning
EmptyLatentImage EmptySD3LatentImage EmptyHunyuanLatentVideo VAEEncode VAEEncodeForInpaint LatentUpscale LatentUpscaleBy
LatentFromBatch RepeatLatentBatch RebatchLatents LatentBatch LatentBatchSeedBehavior SetLatentNoiseMask LatentComposite
LatentBlend LatentRotate LatentFlip LatentCrop LatentAdd LatentMultiply LatentConcat LatentCut LatentCutToBatch
KSampler KSamplerAdvanced SamplerCustom SamplerCustomAdvanced AddNoise
KSamplerSelect SamplerEulerAncestral SamplerDPMPP_SDE SamplerLMS SamplerER_SDE SamplerSASolver
BasicScheduler KarrasScheduler ExponentialScheduler BetaSamplingScheduler SDTurboScheduler AlignYourStepsScheduler
SplitSigmas SplitSigmasDenoise FlipSigmas SetFirstSigma
CFGGuider BasicGuider DualCFGGuider DualModelGuider PerpNegGuider RandomNoise DisableNoise
LoraLoader LoraLoaderModelOnly CreateHookLora CreateHookLoraModelOnly CreateHookKeyframe SetHookKeyframes
FreeU FreeU_V2 HyperTile TomePatchModel PatchModelAddDownscale PerturbedAttentionGuidance SelfAttentionGuidance NAGuidance
RescaleCFG CFGZeroStar CFGNorm CFGOverride Mahiro TCFG APG FreSca DifferentialDiffusion EasyCache LazyCache
ModelSamplingDiscrete ModelSamplingContinuousEDM ModelSamplingSD3 ModelComputeDtype ModelMergeSimple ContextWindowsManual
UNetSelfAttentionMultiply UNetCrossAttentionMultiply LatentApplyOperationCFG LatentOperationSharpen
VAEDecode VAEDecodeTiled EmptyImage LoadImage ImageScale ImageScaleBy ImageInvert ImageBatch ImageFromBatch
RepeatImageBatch RebatchImages ImageCrop ImageCropV2 ImageBlur ImageRotate JoinImageWithAlpha MaskToImage
SolidMask InvertMask ImageToMask GrowMask FeatherMask CropMask MaskComposite ThresholdMask LoadImageMask
PrimitiveBoundingBox DrawBBoxes CropByBBoxes PrimitiveInt PrimitiveFloat PrimitiveString PrimitiveBoolean
PreviewImage SaveImage MaskPreview PreviewAny
""".split()
WIDGETS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
ANY = "*"


@dataclass(frozen=True)
class Input:
    """One input of a node.

    Attributes:
        kinds: types of what may be connected; a widget's one type.
        options: what ComfyUI's V1 form says about it, such as default, min and max.
        values: what a combo offers; None for other inputs.
    """

    name: str
    kinds: frozenset[str]
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[Any, ...] | None = None

    @property
    def is_widget(self) -> bool:
        """Whether the page has a field for it."""
        return self.kinds <= WIDGETS and not self.options.get("forceInput")


@dataclass(frozen=True)
class Node:
    """One class of nodes.

    Attributes:
        outputs: their types, in order; output_names: as they are written at the sockets.
        shows: an output node, which ComfyUI runs by itself.
        ours: of this pack.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...]
    shows: bool
    ours: bool

    @property
    def links(self) -> tuple[Input, ...]:
        """The inputs that something has to be connected to, optional ones included."""
        return tuple(one for one in self.inputs if not one.is_widget)


def _input(one: node_widgets.Input) -> Input:
    values = tuple(one.options["options"]) if one.type == "COMBO" and "options" in one.options else None
    return Input(one.name, frozenset(one.type.split(",")), not one.is_optional, one.options, values)


def node_of(name: str, info: node_widgets.Schema) -> Node:
    """A node out of what the server says about it."""
    inputs = tuple(map(_input, node_widgets.inputs_of(info)))
    ours = info["python_module"] == f"custom_nodes.{PACK}"
    return Node(name, inputs, tuple(info["output"]), tuple(info["output_name"]), info["output_node"], ours)


class Catalogue:
    """The nodes that can stand in a graph on this server.

    Args:
        object_info: the server's answer; nodes are left out whose required combos offer nothing, or that need a type which no
            node here gives.
    """

    def __init__(self, object_info: Mapping[str, node_widgets.Schema]) -> None:
        pack = [name for name, info in object_info.items() if info["python_module"] == f"custom_nodes.{PACK}"]
        every = (node_of(name, object_info[name]) for name in [*pack, *CORE] if name in object_info)
        usable = {
            node.name: node for node in every if not any(one.required and one.values == () for one in node.inputs)
        }
        self.effort = _efforts(usable.values())
        self.nodes = {name: node for name, node in usable.items() if name in self.effort}

    @cached_property
    def ours(self) -> list[Node]:
        """The pack's nodes."""
        return [node for node in self.nodes.values() if node.ours]

    @cached_property
    def core(self) -> list[Node]:
        """ComfyUI's nodes."""
        return [node for node in self.nodes.values() if not node.ours]

    def giving(self, kinds: Iterable[str]) -> list[tuple[Node, int]]:
        """Nodes that have an output of one of these types, each with the number of that output; no pure end of a graph."""
        wanted = set(kinds)
        return [
            (node, slot)
            for node in self.nodes.values()
            for slot, kind in enumerate(node.outputs)
            if kind in wanted and (node.ours or not node.shows)
        ]


def _efforts(nodes: Iterable[Node]) -> dict[str, int]:
    """Name -> how many nodes stand at least behind one of this class, itself included; without those that never can."""
    todo, efforts, types = {node.name: node for node in nodes}, {}, {ANY: 0}
    while True:
        found = {}
        for name, node in todo.items():
            behind = [min((types[kind] for kind in one.kinds if kind in types), default=None) for one in _needed(node)]
            if None not in behind:
                found[name] = 1 + sum(effort for effort in behind if effort is not None)
        if not found:
            return efforts
        name = min(found, key=lambda one: (found[one], one))
        efforts[name] = found[name]
        for kind in todo.pop(name).outputs:
            types[kind] = min(types.get(kind, found[name]), found[name])


def _needed(node: Node) -> list[Input]:
    return [one for one in node.links if one.required]
