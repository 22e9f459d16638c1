"""NUMINA Count Guide: a model whose runs are read early and, where the counts are wrong, sampled again with a guide."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...core.prompts import Counts
from ..comfyui.compatibility import warn_of_own_attention
from ..comfyui.node_names import COUNT_GUIDE
from ..comfyui.run_notes import RunNotes
from ..comfyui.streams import stream_shapes, video_in, video_shape
from ..families.family import Family
from ..families.pixart import PIXART
from ..families.table import FAMILIES, VIDEO_FAMILIES, family_of
from ..families.wan import WAN
from ..prompts.conditionings import CountedConditioning, counted_conditionings, warn_of_counts
from ..recording.maps import NOTHING_COUNTED, MapsHandle
from ..recording.watched_model import keep_run
from ..sampling.own_size import warn_of_size
from ..sampling.whole_image import refuse_no_pictures, whole_pictures_only
from .clock import Clock, clock_of
from .drawn_layout import drawn_guides
from .guided_run import GuidedRun, Restart
from .layout_reader import LayoutReader
from .record import record_of
from .settings import NuminaSettings, RunSetup
from .shared_guide import SharedGuide

NODE = COUNT_GUIDE
WRAPPER_KEY = "headcount_numina"
_NO_ATTENTION = (
    "the model showed no attention to the counted prompt from reference_percent on. A compiled model or a node that replaces "
    "the attention hides it, and a prompt with a timestep range may not be active there"
)
_UNCLEAR = (
    "its attention does not show clearly where they are, so that nobody can tell how many there are. A higher "
    "reference_percent or another reference_layer may show it"
)
_OWN_LAYOUT = f"{NODE} followed your own layout in this run and read none"
_ANOTHER_VIDEO = (
    "LOW_NOISE_MODEL followed no layout: the last run of MODEL was of another prompt or size. Give both samplers the same "
    "conditioning and latent"
)
# PixArt does not show ComfyUI its attention, so that it can be read but not guided.
GUIDED_FAMILIES = tuple(family for family in (*VIDEO_FAMILIES, *FAMILIES) if family is not PIXART)


def with_numina(
    model: Any,
    settings: NuminaSettings,
    counts: Counts | None = None,
    shared: SharedGuide | None = None,
    layout: Any = None,
) -> tuple[Any, MapsHandle]:
    """A clone of `model` that is guided while it samples, and the handle that each run fills.

    Args:
        counts: used where the positive conditioning carries none.
        shared: takes the guide of each run, for `with_shared_guide`.
        layout: boxes that say where everything is to be, see `run_layout`: runs are guided by them from the first step on,
            and nothing is read.

    Raises:
        CountError: the model is of a family whose attention cannot be guided.
    """
    family, handle, notes = family_of(model, NODE, GUIDED_FAMILIES), MapsHandle(), RunNotes(NODE)
    patched = model.clone()

    def sample(executor, guider, sigmas, extra_args, callback, noise, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        refuse_no_pictures(noise, NODE)
        counted, clock = _counted_and_clock(guider, sigmas, family, settings, counts)
        streams = stream_shapes(guider.conds)
        shape = video_shape(noise.shape, streams)
        warn_of_counts(counted, notes)
        warn_of_size(guider.inner_model, noise, sigmas, notes)
        if not counted or (clock.reference is None and layout is None):
            why = _left_alone(len(sigmas) - 1, settings, notes) if counted else NOTHING_COUNTED
            samples = executor(guider, sigmas, extra_args, callback, noise, *rest)
            keep_run(handle, guider.inner_model, video_in(samples, streams), lambda _: None, why, notes)
            return samples
        run = GuidedRun(counted, RunSetup(family, clock, settings, shape))
        warn_of_own_attention(guider.inner_model, NODE)
        if layout is not None:
            run.follow(drawn_guides(counted, layout, settings, guider.inner_model, shape))

        def sampled(adapt: Callable[[dict[str, Any]], dict[str, Any]]) -> Tensor:
            options = _without_parts(adapt(run.options(extra_args["model_options"])), noise, guider)
            return executor(guider, sigmas, {**extra_args, "model_options": options}, callback, noise.clone(), *rest)

        samples = _once_or_twice(run, sampled, guider, _rewinding(noise, patched.load_device))
        if shared is not None:
            shared.keep(run.counted, shape, run.guides)
        why = _OWN_LAYOUT if layout is not None else _why_nothing(run.reader, notes)
        keep_run(handle, guider.inner_model, video_in(samples, streams), partial(record_of, run), why, notes)
        return samples

    def noted(*call):  # noqa: ANN002, ANN202 - as above
        with notes.run():
            return sample(*call)

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, WRAPPER_KEY, noted)
    _put_first(patched.wrappers[WrappersMP.SAMPLER_SAMPLE])
    notes.watch(patched, WRAPPER_KEY)
    return patched, handle


def _once_or_twice(run: GuidedRun, sampled: Callable[..., Tensor], guider: Any, rewind: Callable[[], None]) -> Tensor:
    """What a run makes; it starts again, guided, where it finds something to change."""
    try:
        return sampled(dict)
    except Restart as restart:
        if restart is not run.restart:
            raise
        restart.__traceback__ = None  # it holds on to all that the broken-off step had computed
    rewind()
    run.begin_again()
    _rewind_hooks(guider)
    return sampled(lambda options: _with_fresh_cache(options, guider))


def _why_nothing(reader: LayoutReader, notes: RunNotes) -> str:
    """Say what could not be read; returns what the nodes behind the maps say where nothing was, else nothing."""
    if reader.unread:
        notes.warn(f"left {', '.join(reader.unread)} as the model draws them: {_UNCLEAR}")
    return "" if reader.read_at is not None else _read_nothing(reader.left_alone or _NO_ATTENTION, notes)


def _read_nothing(reason: str, notes: RunNotes) -> str:
    """Say that a run was left alone; returns what the nodes behind the maps say."""
    said = f"read nothing in this run and changed nothing: {reason}"
    notes.warn(said)
    return f"{NODE} {said}"


def _left_alone(steps: int, settings: NuminaSettings, notes: RunNotes) -> str:
    """Say why a run has no step to read a layout in; returns what the nodes behind the maps say."""
    if steps < 1:
        reason = "the sampler took no step. Raise its steps or its denoise"
    elif steps == 1:
        reason = "it has one step, and the model's layers are known only after a first one"
    else:
        reason = f"it begins behind reference_percent {settings.reference_percent:g}, since its denoise is below 1"
    return _read_nothing(reason, notes)


def with_shared_guide(model: Any, settings: NuminaSettings, counts: Counts | None, shared: SharedGuide) -> Any:
    """A clone of `model`, the low-noise half of a model in two parts, that follows the guide of the other half's run.

    Raises:
        CountError: the model is of a family whose attention cannot be guided.
    """
    family, patched, notes = family_of(model, NODE, GUIDED_FAMILIES), model.clone(), RunNotes(NODE)

    def sample(executor, guider, sigmas, extra_args, callback, noise, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        refuse_no_pictures(noise, NODE)
        counted, clock = _counted_and_clock(guider, sigmas, family, settings, counts)
        shape = video_shape(noise.shape, stream_shapes(guider.conds))
        guides = shared.guides_for(counted, shape) if counted else {}
        if guides:
            run = GuidedRun(counted, RunSetup(family, clock, settings, shape))
            run.follow(guides)
            extra_args = {**extra_args, "model_options": run.options(extra_args["model_options"])}
        elif counted and shared.is_of_another(counted, shape):
            notes.warn(_ANOTHER_VIDEO)
        return executor(guider, sigmas, extra_args, callback, noise, *rest)

    def noted(*call):  # noqa: ANN002, ANN202 - as above
        with notes.run():
            return sample(*call)

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, WRAPPER_KEY, noted)
    notes.watch(patched, WRAPPER_KEY)
    return patched


def no_low_noise_model() -> ExecutionBlocker:
    """Stands where the second half of a model would be: what is connected to it is not run, and the message says why."""
    return ExecutionBlocker(
        f"{NODE}: LOW_NOISE_MODEL is empty, since low_noise_model has no model. Connect the low-noise part of a model in two "
        "parts (Wan 2.2 14B) to low_noise_model; with any other model use MODEL"
    )


def _put_first(wrappers: dict[str, Any]) -> None:
    """Around all other wrappers: each of the two runs is a whole run to the nodes that follow the sampler."""
    others = {key: wrappers.pop(key) for key in list(wrappers) if key != WRAPPER_KEY}
    wrappers.update(others)


def _counted_and_clock(
    guider: Any, sigmas: Tensor, family: Family, settings: NuminaSettings, counts: Counts | None
) -> tuple[list[CountedConditioning], Clock]:
    counted = counted_conditionings(guider.conds.get("positive", []), NODE, family, counts)
    is_wan, sampling = family is WAN, guider.inner_model.model_sampling
    return counted, clock_of(sampling, sigmas, settings.reference_percent, settings.by_noise(is_wan), is_wan)


def _with_fresh_cache(model_options: dict[str, Any], guider: Any) -> dict[str, Any]:
    """ComfyUI's EasyCache and LazyCache remember the model's answers until a run ends; the second run has its own."""
    cache = model_options["transformer_options"].get("easycache")
    if cache is not None:
        fresh = cache.clone().prepare_timesteps(guider.inner_model.model_sampling)
        model_options["transformer_options"]["easycache"] = fresh
    return model_options


def _without_parts(model_options: dict[str, Any], noise: Tensor, guider: Any) -> dict[str, Any]:
    """Refuses tiles, whose layouts say nothing of the picture; what ComfyUI's context windows show is known."""
    if model_options.get("context_handler") is not None:
        return model_options
    return whole_pictures_only(model_options, noise, guider.conds.values(), NODE)


def _rewind_hooks(guider: Any) -> None:
    """ComfyUI's scheduled hooks only go forward: the second run begins with their first keyframes, and those weights."""
    for conditioning in (one for group in guider.conds.values() for one in group or ()):
        if conditioning.get("hooks") is not None:
            conditioning["hooks"].reset()
    guider.model_patcher.clear_cached_hook_weights()


def _rewinding(noise: Tensor, device: torch.device) -> Callable[[], None]:
    """A function that turns PyTorch's random numbers back to where they are now."""
    state = torch.random.get_rng_state()
    kinds = {one.type for one in (noise.device, torch.device(device))} - {"cpu"}
    modules = [module for kind in kinds if hasattr(module := torch.get_device_module(kind), "get_rng_state")]
    others = [module.get_rng_state() for module in modules]

    def rewind() -> None:
        torch.random.set_rng_state(state)
        for module, own in zip(modules, others, strict=True):
            module.set_rng_state(own)

    return rewind
