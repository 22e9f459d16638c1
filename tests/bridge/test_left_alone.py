"""Runs that a node leaves alone, or cannot record: the picture is the plain one, and the node itself says why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import CFGGuider, KSamplerSelect, SamplerCustomAdvanced
from headcount.bridge.comfyui import run_notes
from headcount.bridge.comfyui.node_text import NodePlace
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.families.unet import UNetReader
from headcount.bridge.families.video import VideoReader
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.maps import NOT_NUMBERS, MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.seed_search.latent_selection import select_candidates
from headcount.bridge.seed_search.search import Search
from headcount.bridge.views.instances import find_instances
from headcount.bridge.views.viewer import ViewSettings, view_maps
from headcount.bridge.views.viewer_data import viewer_output
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, Counts
from torch import Tensor

from ..helpers.families import built as built_picture
from ..helpers.families import small
from ..helpers.models import SMALLEST_UNET, FixedNoise, Run, Setup, sample, shapes_setup, tiny_setup
from ..helpers.numina_readings import always_right
from ..helpers.packs import COMPILED, HYPERTILE, ORDERS, TOME, Patch, beside
from ..helpers.video_models import built_video, video
from .test_latent_selection import USUAL as SELECTION

Node = Callable[[Any], tuple[Any, MapsHandle]]
EARLY = IsacSettings(end_percent=0.2)
NODES: dict[str, Node] = {
    "Attention Map Recorder": with_recorder,
    "Count Control": lambda model: with_isac(model, EARLY),
    "Count Guide": lambda model: with_numina(model, NuminaSettings()),
}
every_node = pytest.mark.parametrize("node", NODES)
RUN = Run(steps=4, size=(8, 8))
PLACE = NodePlace("17")


@dataclass
class Page:
    """What the page was told to write into the node, and what the log said."""

    caplog: pytest.LogCaptureFixture
    notes: list[str] = field(default_factory=list)

    def show(self, text: str, node: NodePlace | None) -> None:
        assert node == PLACE
        self.notes.append(text)

    @property
    def shown(self) -> str:
        """What stands in the node now."""
        return self.notes[-1]

    @property
    def logged(self) -> list[str]:
        """The pack's own warnings."""
        own = [one for one in self.caplog.records if one.name.startswith("headcount")]
        return [one.getMessage() for one in own if one.levelno == logging.WARNING]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Page:
    page = Page(caplog)
    monkeypatch.setattr(run_notes, "running_node", lambda: PLACE)
    monkeypatch.setattr(run_notes, "show_note", page.show)
    return page


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup()


def hidden(model: Any) -> Any:
    """A node that computes attention without asking ComfyUI's function."""
    patched = model.clone()

    def hide(executor: Any, *args: Any, **options: Any) -> Any:
        for value in args:
            if isinstance(value, dict):
                value.pop("optimized_attention_override", None)
        return executor(*args, **options)

    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "a test", hide)
    return patched


def uncounted(setup: Setup) -> Setup:
    text, options = setup.positive[0]
    return replace(setup, positive=[[text, {**options, CONDITIONING_KEY: Counts("", ())}]])


def sampled_by(sampler: Any, levels: tuple[float, ...], model: Any, setup: Setup) -> Tensor:
    """What SamplerCustomAdvanced makes with a sampler and noise levels."""
    with torch.inference_mode():
        (guider,) = CFGGuider.execute(model, setup.positive, setup.negative, 3.0).args
        latent = {"samples": torch.zeros(1, setup.channels, 8, 8)}
        out = SamplerCustomAdvanced.execute(FixedNoise(3), guider, sampler, torch.tensor(levels), latent)
    return out.args[0]["samples"]


def without_steps(model: Any, setup: Setup) -> Tensor:
    """Of the end of a split schedule: one noise level, and no step."""
    return sampled_by(KSamplerSelect.execute("euler").args[0], (0.5,), model, setup)


def past_the_model(model: Any, x: Tensor, levels: Tensor, extra_args: dict[str, Any], **_: Any) -> Tensor:
    """A sampler that asks what lies within the model that it is given."""
    answer: Tensor = model.inner_model(x, levels[:1], model_options=extra_args["model_options"], seed=0)
    return answer


@dataclass(frozen=True)
class Cause:
    """A run of a node that does nothing, and what is said of it: "<node>: <words> ..."."""

    node: str
    words: str
    run: Run = RUN
    prepare: Patch = lambda model: model
    setup: Callable[[Setup], Setup] = lambda setup: setup


NOTHING = "the prompt counts nothing: this image is not "
NO_RECORD = "recorded nothing in this run: "
LEFT = "read nothing in this run and changed nothing: "
CAUSES = {
    "recorder, nothing counted": Cause("Attention Map Recorder", f"{NOTHING}recorded", setup=uncounted),
    "isac, nothing counted": Cause("Count Control", f"{NOTHING}steered", setup=uncounted),
    "numina, nothing counted": Cause("Count Guide", f"{NOTHING}steered", setup=uncounted),
    "recorder, hidden": Cause(
        "Attention Map Recorder", f"{NO_RECORD}the model showed no attention call.", prepare=hidden
    ),
    "numina, hidden": Cause("Count Guide", f"{LEFT}the model showed no attention to the", prepare=hidden),
    "isac, denoise": Cause(
        "Count Control",
        "none of the 4 steps of this run lies between start_percent 0 and end_percent 0.2, so nothing was steered. A denoise",
        replace(RUN, denoise=0.3),
    ),
    "numina, denoise": Cause(
        "Count Guide",
        f"{LEFT}it begins behind reference_percent 0.4, since its denoise is below 1",
        replace(RUN, denoise=0.3),
    ),
    "numina, one step": Cause("Count Guide", f"{LEFT}it has one step, and", replace(RUN, steps=1)),
}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_the_node_says_why(cause: Cause, tiny: Setup, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    always_right(monkeypatch)  # which NUMINA's reading of random attention is not
    setup = cause.setup(tiny)
    model, maps = NODES[cause.node](cause.prepare(tiny.model))
    assert page.notes == [""], "what an earlier execution of the node said goes"
    samples = sample(model, setup, cause.run)
    assert torch.equal(samples, sample(cause.prepare(tiny.model), setup, cause.run))
    assert page.shown.startswith(cause.words)
    assert page.logged == [f"{cause.node}: {page.shown}"]
    if cause.words.startswith((NO_RECORD, LEFT)):
        assert view_maps(maps, samples, None, ViewSettings()).text == f"{cause.node} {page.shown}"
    if cause.prepare is not hidden:
        sample(model, tiny, RUN)
        assert page.shown == "" and len(page.logged) == 1, "a run that does what it should says nothing"


def test_nouns_that_cannot_be_read_are_named(tiny: Setup, page: Page) -> None:
    """A model of random numbers shows nothing clearly."""
    model, _ = NODES["Count Guide"](tiny.model)
    assert torch.equal(sample(model, tiny, RUN), sample(tiny.model, tiny, RUN))
    assert page.shown.startswith(
        "left cats, dogs as the model draws them: its attention does not show clearly where they"
    )
    assert page.logged == [f"Count Guide: {page.shown}"]


@every_node
def test_a_schedule_without_steps(node: str, tiny: Setup, page: Page) -> None:
    model, maps = NODES[node](tiny.model)
    samples = without_steps(model, tiny)
    assert torch.equal(samples, without_steps(tiny.model, tiny))
    assert page.shown.endswith("the sampler took no step. Raise its steps or its denoise")
    assert page.logged == [f"{node}: {page.shown}"]
    assert find_instances(maps, samples, 0, "found", 0.5).text == f"{node} {page.shown}"


def test_a_sampler_that_goes_past_the_model(tiny: Setup, page: Page) -> None:
    """No step is seen, which is no run of kept steps: the node says that it did nothing."""
    model, _ = NODES["Count Control"](tiny.model)
    sampled_by(comfy.samplers.KSAMPLER(past_the_model), (2.0, 0.0), model, tiny)
    assert page.shown.startswith(NO_RECORD)


@every_node
def test_another_node_replaced_the_wrappers(
    node: str, tiny: Setup, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some packs put their own in place of what they find."""
    always_right(monkeypatch)
    model, _ = NODES[node](tiny.model)
    replaced = model.clone()
    replaced.wrappers = {WrappersMP.SAMPLER_SAMPLE: {"other": [lambda executor, *args: executor(*args)]}}
    plain = sample(tiny.model, tiny, RUN)
    assert torch.equal(sample(replaced, tiny, RUN), plain)
    assert page.shown.startswith("another node behind this one has replaced what this node put on the model")
    assert page.logged == [f"{node}: {page.shown}"]
    sample(model, tiny, RUN)
    assert page.shown == ""


@every_node
def test_a_run_that_fails_early_is_no_lost_wrapper(node: str, tiny: Setup, page: Page) -> None:
    model, _ = NODES[node](tiny.model)
    model.wrappers = {WrappersMP.SAMPLER_SAMPLE: {"other": [lambda executor, *args: 1 / 0]}}
    with pytest.raises(ZeroDivisionError):
        sample(model, tiny, RUN)
    assert page.notes == [""] and page.logged == []


def test_candidates_are_no_lost_wrapper(tiny: Setup, page: Page) -> None:
    model, _ = with_isac(with_recorder(tiny.model)[0], EARLY)
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    select_candidates(Search(model, tiny.positive, tiny.negative, latent, SELECTION))
    assert set(page.notes) == {""} and page.logged == []


@every_node
def test_an_error_of_the_run_is_in_the_node_too(node: str, tiny: Setup, page: Page) -> None:
    """ComfyUI shows it at the sampler, which is not the node that has to be connected in another way."""
    plain_text = [[tiny.positive[0][0], {}]]
    with pytest.raises(CountError, match="does not know where the words") as error:
        sample(NODES[node](tiny.model)[0], tiny, RUN, positive=plain_text)
    assert page.shown == str(error.value) and page.logged == []


def test_two_of_one_node_say_so(tiny: Setup, page: Page) -> None:
    sample(with_isac(with_isac(tiny.model, EARLY)[0], EARLY)[0], tiny, RUN)
    assert page.shown == "another Count Control is in front of this one on the same model. Both steer this image"
    assert len(page.logged) == 1


@pytest.mark.parametrize(
    "names", [("recorder", "isac"), ("isac", "recorder"), ("isac", "isac"), ("recorder", "recorder")]
)
@pytest.mark.parametrize("sampler", ["euler", "heun", "lms"])
def test_two_nodes_on_one_model_both_record(names: tuple[str, str], sampler: str, tiny: Setup) -> None:
    """And what is recorded is the same, whichever is in front."""
    nodes: dict[str, Node] = {"recorder": with_recorder, "isac": lambda model: with_isac(model, IsacSettings())}
    run = replace(RUN, sampler=sampler)
    first, ahead = nodes[names[0]](tiny.model)
    second, behind = nodes[names[1]](first)
    samples = sample(second, tiny, run)
    records = [maps.record_for(samples) for maps in (ahead, behind)]
    assert all(belongs and len(record.steps) == run.steps for record, belongs in records)
    torch.testing.assert_close(*(record.cross_attention for record, _ in records))
    if set(names) == {"recorder", "isac"}:
        assert torch.equal(samples, sample(nodes["isac"](tiny.model)[0], tiny, run))
        alone, own = nodes["isac"](tiny.model)
        own_record = own.record_for(sample(alone, tiny, run))[0]
        torch.testing.assert_close(records[0][0].cross_attention, own_record.cross_attention)


def black(model: Any) -> Any:
    """A model whose half precision overflows: its answers are not numbers."""
    patched = model.clone()
    patched.set_model_unet_function_wrapper(
        lambda apply, args: apply(args["input"], args["timestep"], **args["c"]) * float("nan")
    )
    return patched


@every_node
@pytest.mark.parametrize("order", ORDERS)
def test_a_run_that_is_not_numbers(node: str, order: str, tiny: Setup, page: Page) -> None:
    model, maps = beside(black, NODES[node], tiny.model, order)
    samples = sample(model, tiny, RUN)
    assert bool(samples.isnan().all())
    assert len(page.logged) == 1 and page.logged[0].endswith(NOT_NUMBERS) and page.shown.endswith(NOT_NUMBERS)
    for look in (
        lambda: view_maps(maps, samples, None, ViewSettings()),
        lambda: viewer_output(maps, samples, None),
        lambda: find_instances(maps, samples, 0, "found", 0.5),
    ):
        with pytest.raises(
            CountError, match=r"^the latent has values that are not numbers \(a black image\); the sampler"
        ):
            look()


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("pack", [HYPERTILE, TOME], ids=["HyperTile", "ToMe"])
@pytest.mark.parametrize("order", ORDERS)
def test_numina_beside_nodes_that_cut_up_tokens(
    order: str, pack: Patch, strength: float, cache: bool, page: Page
) -> None:
    """On the Shapes model, whose finest layer such nodes work on: whole runs, and the plain picture where nothing is read."""
    setup, run = shapes_setup(), Run(steps=5)
    settings = NuminaSettings(strength=strength, cache=cache)
    model, maps = beside(pack, lambda made: with_numina(made, settings), setup.model, order)
    samples = sample(model, setup, run)
    assert page.shown.startswith(f"{LEFT}the layer that layouts are read in showed no attention on a grid of its own")
    assert len(page.logged) == 1
    if pack is HYPERTILE:  # ToMe merges random tokens
        assert torch.equal(samples, sample(pack(setup.model), setup, run))
    assert view_maps(maps, samples, None, ViewSettings("layout")).text == f"Count Guide {page.shown}"


def test_a_compiled_model_is_read(page: Page) -> None:
    setup = tiny_setup(unet=SMALLEST_UNET)
    model, maps = beside(COMPILED, with_recorder, setup.model, "before")
    assert maps.record_for(sample(model, setup, RUN))[1] and page.shown == "" and page.logged == []


@every_node
def test_a_text_that_cannot_be_read_is_refused_before_the_first_step(node: str, page: Page) -> None:
    """Else the sampler would run to its end, and the node would say only then that nothing was recorded."""
    one, setup = small("Qwen-Image"), built_picture("Qwen-Image")
    text, options = setup.positive[0]
    counts = replace(one.counts(), prompt="<|im_start|>user\ntwo red cats and a dog<|im_end|>")
    own = [[text, {**options, CONDITIONING_KEY: counts}]]
    steps: list[int] = []
    with pytest.raises(CountError, match=r"^the prompt brings its own template for Qwen"):
        sample(
            NODES[node](setup.model)[0], setup, one.run(), positive=own, callback=lambda step, *_: steps.append(step)
        )
    assert steps == [] and page.shown.startswith("the prompt brings its own template")


def test_a_node_outside_of_a_run_of_a_graph() -> None:
    """Tests and scripts have no node to write into; the log is enough."""
    RunNotes("a test").warn("something")


@pytest.mark.parametrize("missing", ["self", "cross"])
@pytest.mark.parametrize("name", ["Stable Diffusion 1.5", "Wan 2.1"])
def test_one_kind_of_attention_that_is_not_read(
    name: str, missing: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other nodes may replace the self-attention of every layer, or that to the text: no run ends for that."""
    is_video = name == "Wan 2.1"
    one, setup = (video(name), built_video(name)) if is_video else (small(name), built_picture(name))
    kind: Any = VideoReader if is_video else UNetReader
    read = kind.read

    def some(self: Any, *call: Any) -> Any:
        found = read(self, *call)
        return None if found is None or found.kind == missing else found

    monkeypatch.setattr(kind, "read", some)
    plain = sample(setup.model, setup, one.run())
    for node, patch in NODES.items():
        if is_video and node == "Count Control":
            continue
        model, maps = patch(setup.model)
        samples = sample(model, setup, one.run())
        assert torch.equal(samples, plain)
        *steering, record = page.shown.splitlines()
        assert [f"{node}: {line}" for line in (*steering, record)] == page.logged
        only_a_part = "this model shows only a part of its attention, so nothing is steered"
        assert [line.partition(".")[0] for line in steering] == ([only_a_part] if node == "Count Control" else [])
        assert record.startswith((NO_RECORD, LEFT))
        assert find_instances(maps, samples, 0, "found", 0.5).text == f"{node} {record}"
        page.caplog.clear()
