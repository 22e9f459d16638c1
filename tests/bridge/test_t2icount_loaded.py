"""A counter in ComfyUI's memory management counts what the network counts, and loads once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.memory_management
import comfy.model_management
import comfy.ops
import pytest
import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.bridge.t2icount.loaded import LoadedCounter, load_counter
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import load_network
from headcount.core.t2icount.counting import NATIVE, CountSettings, count_picture
from headcount.core.t2icount.tokens import class_tokens
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..helpers.counters import UNTRAINED, model_folder, untrained_counter, untrained_network, write_untrained

NOUNS = ("circles", "red stars")
VRAM = comfy.model_management.VRAMState


@pytest.fixture(scope="module")
def counter() -> LoadedCounter:
    return untrained_counter()


def pictures(count: int = 2, height: int = 128, width: int = 160, channels: int = 3) -> Tensor:
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(0))


def test_counts_what_the_network_counts(counter: LoadedCounter) -> None:
    """Against the core alone, with the nouns' ids written out."""
    network = untrained_network().half().float()
    ids = [counter._words._ids(noun) for noun in NOUNS]
    rows = [class_tokens(one, network.config.text, noun) for one, noun in zip(ids, NOUNS, strict=True)]
    text = network.embed_text(*(torch.stack(part) for part in zip(*rows, strict=True)))
    counted = counter.count(pictures(), NOUNS)
    assert counted.nouns == NOUNS and counted.numbers.shape == (2, 2)
    for picture, numbers, points in zip(pictures(), counted.numbers, counted.points, strict=True):
        expected = count_picture(network, picture, text, CountSettings(batch=4))
        torch.testing.assert_close(numbers, expected.numbers)
        assert points == expected.points and len(points[0]) > 0


def test_ids_are_clips_own(counter: LoadedCounter) -> None:
    ids, mask = counter._words.tokens(["circles", "red stars"])
    assert ids[0, 0] == 49406 and (ids[0, 2:] == 49407).all() and mask.sum(1).tolist() == [1, 2]
    assert torch.equal(counter._words.tokens(["RED  Stars"])[0][0], ids[1])


def test_maps_come_with_each_picture(counter: LoadedCounter) -> None:
    counted = counter.count(pictures(), NOUNS, scale=NATIVE)
    for result, numbers in zip(
        counter.each_picture(pictures(), NOUNS, CountSettings(NATIVE)), counted.numbers, strict=True
    ):
        assert torch.equal(result.numbers, numbers) and result.density.shape == (2, 128, 160)
        torch.testing.assert_close(result.density.sum((1, 2)), numbers)


def test_a_second_count_loads_and_moves_nothing(counter: LoadedCounter) -> None:
    counter.count(pictures(1), NOUNS)
    loaded = list(comfy.model_management.current_loaded_models)
    places = [weight.data_ptr() for weight in counter.network.parameters()]
    assert [one for one in loaded if one.model is counter.patcher], "ComfyUI knows it, and can unload it"
    first = counter.count(pictures(1), NOUNS)
    assert comfy.model_management.current_loaded_models == loaded
    assert [weight.data_ptr() for weight in counter.network.parameters()] == places
    assert torch.equal(counter.count(pictures(1), NOUNS).numbers, first.numbers)


def test_counts_again_after_comfyui_unloaded_it(counter: LoadedCounter) -> None:
    before = counter.count(pictures(1), NOUNS)
    comfy.model_management.unload_all_models()
    assert torch.equal(counter.count(pictures(1), NOUNS).numbers, before.numbers)


class Elsewhere(Tensor):
    """A weight on another device than the one that computes: it can be asked and moved, not computed with."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func is Tensor.to:
            return result.as_subclass(Tensor)
        if isinstance(result, Tensor) and func not in (Tensor.detach, Tensor.requires_grad_, Tensor.data.__get__):
            raise RuntimeError(f"{func.__name__}: expected all tensors to be on the same device")
        return result


@pytest.fixture
def loads_a_part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Memory for half of a model, or ComfyUI's --novram; what it does not load is elsewhere. Gives the part that fits."""
    management = comfy.model_management
    load, cast = management.load_models_gpu, management.cast_to

    def load_half(models: list[Any], **options: Any) -> None:
        network, half = models[0].model, models[0].model_size() / 2
        with monkeypatch.context() as patched:
            patched.setattr(management, "get_free_memory", lambda *_: management.minimum_inference_memory() + half)
            load(models, **options)
        _mark(network, Elsewhere)

    def moved(weight: Tensor, *arguments: Any, **options: Any) -> Tensor:
        return cast(weight.as_subclass(Tensor) if isinstance(weight, Elsewhere) else weight, *arguments, **options)

    monkeypatch.setattr(management, "load_models_gpu", load_half)
    monkeypatch.setattr(management, "is_device_cpu", lambda _device: False)  # else everything is loaded
    monkeypatch.setattr(management, "vram_state", request.param)
    monkeypatch.setattr(management, "cast_to", moved)
    monkeypatch.setattr(comfy.ops, "cast_to", moved)
    management.unload_all_models()
    yield 0.5 if request.param is VRAM.NORMAL_VRAM else 0.0
    for loaded in management.current_loaded_models:
        if loaded.model is not None:  # it may have been collected with the test
            _mark(loaded.model.model, Tensor)
    management.unload_all_models()


def _mark(network: nn.Module, kind: type[Tensor]) -> None:
    """What ComfyUI has not loaded becomes tensors of this class."""
    for layer in network.modules():
        if not hasattr(layer, "comfy_patched_weights"):
            for name, weight in layer._parameters.items():
                if weight is not None:
                    layer._parameters[name] = nn.Parameter(weight.detach().as_subclass(kind), requires_grad=False)
            for name, buffer in layer._buffers.items():
                layer._buffers[name] = buffer.as_subclass(kind)


@pytest.mark.usefixtures("counter")  # which writes the file
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loads_a_part", [VRAM.NORMAL_VRAM, VRAM.NO_VRAM], indirect=True)
def test_counts_the_same_with_a_part_of_it_loaded(loads_a_part: float, precision: str) -> None:
    """Each layer whose weights are elsewhere gets them for the time that it runs."""
    with torch.inference_mode():
        expected = load_counter(UNTRAINED, precision)
        partly = load_counter(UNTRAINED, precision)
        found = partly.count(pictures(), NOUNS, scale=NATIVE)
        size = partly.patcher.model_size()
        assert abs(partly.patcher.loaded_size() / size - loads_a_part) < 0.2 and partly.network.model_lowvram
        text = expected.network.embed_text(*expected._words.tokens(NOUNS))
        for picture, numbers in zip(pictures(), found.numbers, strict=True):
            whole = count_picture(expected.network, picture, text, CountSettings(NATIVE, batch=4))
            assert torch.equal(whole.numbers, numbers)


def test_fewer_windows_at_once_come_before_weights_elsewhere(
    monkeypatch: pytest.MonkeyPatch, counter: LoadedCounter
) -> None:
    """Other models make room for four windows; of its own weights it keeps all that leave room for one."""
    load, asked = comfy.model_management.load_models_gpu, []

    def spy(models: list[Any], memory_required: int, minimum_memory_required: int) -> None:
        asked.append(memory_required / minimum_memory_required)
        load(models, memory_required=memory_required, minimum_memory_required=minimum_memory_required)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", spy)
    counter.count(pictures(1, 256, 256), NOUNS, scale=NATIVE)
    counter.count(pictures(1, 128, 128), NOUNS[:1], scale=NATIVE)
    assert asked == [4, 1]


def test_a_weight_elsewhere_is_not_computed_with() -> None:
    weight = nn.Parameter(torch.ones(2, 2).as_subclass(Elsewhere), requires_grad=False)
    assert type(weight.to(torch.float64)) is Tensor and weight.shape == (2, 2)
    with pytest.raises(RuntimeError, match="same device"):
        nn.functional.linear(torch.ones(1, 2), weight)


def test_names_are_compared_under_dynamic_vram(monkeypatch: pytest.MonkeyPatch, counter: LoadedCounter) -> None:
    """ComfyUI's own layers have no weights there before a file is read."""
    monkeypatch.setattr(comfy.memory_management, "aimdo_enabled", True)
    assert comfy.ops.disable_weight_init.Linear(2, 2).weight is None
    network = load_network(untrained_network().half().float().state_dict(), count_network)
    monkeypatch.undo()
    loaded = LoadedCounter(network)
    assert torch.equal(loaded.count(pictures(1), NOUNS).numbers, counter.count(pictures(1), NOUNS).numbers)


def test_weights_of_a_safetensors_file_are_not_copied() -> None:
    """They are the mapped file itself where the precision is the file's."""
    name = "fp32.safetensors"
    save_file(untrained_network().state_dict(), model_folder() / name, {"headcount.t2icount": "shapes"})
    before = _resident()
    with torch.inference_mode():
        loaded = load_counter(name, "fp32")
    size = sum(weight.numel() * weight.element_size() for weight in loaded.network.parameters())
    assert _resident() - before < size / 2, "the file is read when it is needed"
    (model_folder() / name).unlink()


def _resident() -> int:
    """Bytes of this process in memory that are its own, files aside."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * 4096


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_precision(counter: LoadedCounter, precision: str, dtype: torch.dtype) -> None:
    with torch.inference_mode():
        loaded = load_counter(UNTRAINED, precision)
        counted = loaded.count(pictures(1), NOUNS)
    assert {weight.dtype for weight in loaded.network.parameters()} == {dtype}
    assert counted.numbers.dtype == torch.float32
    torch.testing.assert_close(counted.numbers, counter.count(pictures(1), NOUNS).numbers, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_pictures_with_other_channels(counter: LoadedCounter, channels: int) -> None:
    """Transparency is dropped, grey is red, green and blue alike."""
    given = pictures(1, channels=channels)
    as_rgb = given[..., :3] if channels > 2 else given[..., :1].repeat(1, 1, 1, 3)
    assert torch.equal(counter.count(given, NOUNS).numbers, counter.count(as_rgb, NOUNS).numbers)


@pytest.mark.parametrize("given", [torch.rand(8, 8, 3), torch.rand(0, 8, 8, 3), None])
def test_what_is_no_picture(counter: LoadedCounter, given: Tensor | None) -> None:
    with pytest.raises(CountError, match="the counter needs an IMAGE of shape"):
        counter.count(given, NOUNS)


@pytest.mark.parametrize(
    ("nouns", "message"),
    [
        (
            ["circles", "zebras"],
            "does not know 'zebras': it knows .*, circle, circles, .*yellow. Ask for one of its nouns, or connect another",
        ),
        (["circles", ""], "nothing to count in the text ''"),
        (["circles " * 31], "has 31 tokens, and the counter reads 30"),
        ([], "there is no noun to count"),
    ],
)
def test_nouns_that_it_cannot_read(counter: LoadedCounter, nouns: list[str], message: str) -> None:
    with pytest.raises(CountError, match=message):
        counter.count(pictures(1), nouns)


def test_progress_runs_over_all_pictures(counter: LoadedCounter) -> None:
    told: list[tuple[int, int]] = []
    counter.count(pictures(3, 128, 256), NOUNS, lambda done, passes: told.append((done, passes)), NATIVE)
    assert told == [(done, 3) for done in (1, 2, 3)]


def test_cancelling_stops_between_passes(counter: LoadedCounter) -> None:
    told: list[int] = []

    def cancel_at_second(done: int, _passes: int) -> None:
        told.append(done)
        comfy.model_management.interrupt_current_processing(done == 1)

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        counter.count(pictures(4), NOUNS, cancel_at_second)
    assert told == [1]
    counter.count(pictures(1), NOUNS)  # and works again


@pytest.mark.parametrize("is_inference", [True, False])
def test_results_have_no_gradient_and_chance_is_untouched(counter: LoadedCounter, is_inference: bool) -> None:
    state = torch.get_rng_state()
    with torch.inference_mode(is_inference):
        counted = counter.count(pictures(1), NOUNS)
    assert not counted.numbers.requires_grad and torch.equal(torch.get_rng_state(), state)


def test_less_memory_than_thought(counter: LoadedCounter) -> None:
    """A pass that runs out of memory is done again in halves, down to one window."""
    seen: list[int] = []

    def run_out(_module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(len(inputs[0]))
        if len(inputs[0]) > 1:
            raise comfy.model_management.OOM_EXCEPTION("no memory")

    picture = pictures(1, 256, 256)
    expected = counter.count(picture, NOUNS[:1], scale=NATIVE)
    hook = counter.network.diffusion_model.register_forward_pre_hook(run_out)
    try:
        found = counter.count(picture, NOUNS[:1], scale=NATIVE)
    finally:
        hook.remove()
    assert seen == [4, 2, 1, 1, 1, 1]
    torch.testing.assert_close(found.numbers, expected.numbers)


def test_memory_that_never_suffices(counter: LoadedCounter) -> None:
    def run_out(_module: torch.nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        raise comfy.model_management.OOM_EXCEPTION("no memory")

    hook = counter.network.diffusion_model.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(comfy.model_management.OOM_EXCEPTION):
            counter.count(pictures(1), NOUNS)
    finally:
        hook.remove()


def test_files_of_other_models_are_named() -> None:
    path = model_folder() / "sd.safetensors"
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3)}, path)
    with pytest.raises(
        CountError, match=r"sd\.safetensors: this file is not a T2ICount checkpoint, but a Stable Diffusion"
    ):
        load_counter(path.name, "fp32")
    write_untrained(path)
    weights = load_file(path)
    save_file(weights, path, {"headcount.t2icount": "huge"})
    with pytest.raises(CountError, match=r"sd\.safetensors: this T2ICount file is of the size 'huge'"):
        load_counter(path.name, "fp32")
    save_file(weights, path)
    assert load_counter(path.name, "fp32").network.config.name == "shapes", "found by its shapes"
    path.unlink()
