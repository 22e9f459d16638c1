"""The pack's nodes. Imported here at the top, so that an import error reaches ComfyUI's log with its traceback."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import ComfyExtension, io

from ..bridge.comfyui.copies import folder_of_other_copy
from ..bridge.comfyui.node_text import keep_results_with_their_run
from ..bridge.prompts.reading_route import add_reading_route
from ._checked import checked
from .attention_map_recorder import AttentionMapRecorder
from .attention_map_viewer import AttentionMapViewer
from .count_check import CountCheck
from .count_prompt import CountPrompt
from .count_repair import CountRepair
from .count_report import CountReport
from .count_search import CountSearch
from .count_search_candidates import CountSearchCandidates
from .count_search_pick import CountSearchPick
from .counts_from_text import CountsFromText
from .counts_from_tracks import CountsFromTracks
from .detector_counter import DetectorCounterNode
from .generate_until_right import GenerateUntilRight
from .instance_masks import InstanceMasks
from .isac_attention_control import IsacAttentionControl
from .isac_latent_selection import IsacLatentSelection
from .load_demo_model import LoadDemoModel
from .load_shapes_demo_model import LoadShapesDemoModel
from .load_t2icount_model import LoadT2ICountModel
from .numina_count_guide import NuminaCountGuide
from .sam3_counter import Sam3CounterNode
from .t2icount_counter import T2ICountCounter

NODES: list[type[io.ComfyNode]] = [
    CountPrompt,
    IsacAttentionControl,
    IsacLatentSelection,
    NuminaCountGuide,
    CountSearch,
    CountSearchCandidates,
    CountSearchPick,
    AttentionMapRecorder,
    AttentionMapViewer,
    InstanceMasks,
    LoadT2ICountModel,
    Sam3CounterNode,
    DetectorCounterNode,
    T2ICountCounter,
    CountsFromText,
    CountsFromTracks,
    CountCheck,
    CountRepair,
    GenerateUntilRight,
    CountReport,
    LoadDemoModel,
    LoadShapesDemoModel,
]
for _node in NODES:
    checked(_node)


class HeadcountExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack; none where ComfyUI already has those of another copy."""
        return [] if folder_of_other_copy(Path(__file__).parents[1]) else NODES


async def comfy_entrypoint() -> HeadcountExtension:
    """Entry point that ComfyUI calls once, after importing the pack."""
    keep_results_with_their_run()
    add_reading_route()
    return HeadcountExtension()
