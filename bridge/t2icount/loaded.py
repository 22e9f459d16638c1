"""A T2ICount model in ComfyUI's memory management. Travels as T2ICOUNT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor

from ...core.counting import Counted
from ...core.errors import CountError
from ...core.t2icount.checkpoint import CONFIG_ENTRY, config_named, load_network
from ...core.t2icount.counting import SHORT_SIDE, CountSettings, PictureCount, count_picture, counting_size
from ...core.t2icount.network import CountNetwork
from ...core.t2icount.text import ClassText
from ...core.t2icount.windows import window_corners
from ..counters.maps import point_boxes
from ..counters.pictures import rgb_pictures
from .backbone import count_network, make_castable
from .files import model_path, read_weights
from .noun_tokens import NounTokens

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BATCH = 4  # windows at once at most
_VALUES_PER_PIXEL = 1767  # that an SD encoder holds at once, as ComfyUI reckons for its own VAE

OnProgress = Callable[[int, int], None]
"""Called with passes of the network done and passes in all. What it raises ends the count."""


class LoadedCounter:
    """Counts nouns in images, as a `core.counting.Counter`."""

    def __init__(self, network: CountNetwork) -> None:
        management = comfy.model_management
        make_castable(network)
        self.network = network
        self.patcher = comfy.model_patcher.ModelPatcher(
            network, load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
        )
        self._words = NounTokens(network)

    def count(
        self,
        images: Tensor,
        nouns: Sequence[str],
        on_progress: OnProgress | None = None,
        scale: str = SHORT_SIDE,
    ) -> Counted:
        """Counts, points and boxes of K nouns in N images, see `core.counting.Counter`; maps are dropped image by image.

        Args:
            images: (N, H, W, C) in 0..1.
            scale: see `CountSettings`.

        Raises:
            CountError: see `each_picture`.
        """
        return counted_of(nouns, self.each_picture(images, nouns, CountSettings(scale), on_progress))

    def each_picture(
        self,
        pictures: Tensor,
        nouns: Sequence[str],
        settings: CountSettings,
        on_progress: OnProgress | None = None,
    ) -> Iterator[PictureCount]:
        """Counts, densities, similarities, points and, where asked for, attention, one image after the other.

        Args:
            settings: how to count; the batch is what ComfyUI's memory allows, up to `_BATCH`.

        Raises:
            CountError: the images are none, or a noun is empty, too long or unknown to a model of few words.
            InterruptProcessingException: the user pressed cancel.
        """
        rgb = rgb_pictures(pictures)
        tokens, mask = self._words.tokens(nouns)
        settings = replace(settings, batch=_BATCH)
        text = self._read(tokens, mask, self._passes_together(rgb.shape[1], rgb.shape[2], len(nouns), settings))
        for index, picture in enumerate(rgb):

            def on_pass(done: int, passes: int, before: int = index) -> None:
                comfy.model_management.throw_exception_if_processing_interrupted()
                if on_progress is not None:
                    on_progress(before * passes + done, len(rgb) * passes)

            yield _with_less_memory(self.network, picture, text, settings, on_pass)

    def _read(self, tokens: Tensor, mask: Tensor, together: int) -> ClassText:
        """What the text tower makes of the nouns. Afterwards as much of the network as fits is where it computes."""
        bytes_per_pass = (
            self.network.config.window**2 * _VALUES_PER_PIXEL * next(self.network.parameters()).element_size()
        )
        # Where memory is short, a count goes on with fewer windows at once before weights have to lie elsewhere.
        comfy.model_management.load_models_gpu(
            [self.patcher], memory_required=together * bytes_per_pass, minimum_memory_required=bytes_per_pass
        )
        device = self.patcher.load_device
        return self.network.embed_text(tokens.to(device), mask.to(device))

    def _passes_together(self, height: int, width: int, nouns: int, settings: CountSettings) -> int:
        """Windows times nouns that go through the network at once."""
        window = self.network.config.window
        windows = len(window_corners(*counting_size(height, width, window, settings.scale), window, settings.stride))
        return min(windows * nouns, settings.batch)


def load_counter(name: str, precision: str) -> LoadedCounter:
    """Read a file of ComfyUI's folder models/t2icount.

    Args:
        name: as ComfyUI lists it.
        precision: one of `PRECISIONS`; only fp32 gives the numbers of the authors.

    Raises:
        CountError: the file is missing or damaged, or holds something else.
    """
    return counter_of_file(model_path(name), PRECISIONS[precision])


def counter_of_file(path: Path, dtype: torch.dtype = torch.float32) -> LoadedCounter:
    """The counter in a file that may lie anywhere.

    Raises:
        CountError: see `load_counter`.
    """
    weights, metadata = read_weights(path)
    try:
        config = config_named(metadata[CONFIG_ENTRY]) if CONFIG_ENTRY in metadata else None
        network = load_network(weights, count_network, config)
    except CountError as error:
        raise CountError(f"{path.name}: {error}") from error
    del weights  # so that each tensor goes as soon as it is converted
    return LoadedCounter(network.to(dtype))


def counted_of(nouns: Sequence[str], results: Iterable[PictureCount]) -> Counted:
    """Counts of several images as one; keeps no map of any."""
    numbers, points, boxes = [], [], []
    for result in results:
        numbers.append(result.numbers)
        points.append(result.points)
        boxes.append(point_boxes(nouns, result.points, result.similarity))
    return Counted(tuple(nouns), torch.stack(numbers), tuple(points), tuple(boxes))


def _with_less_memory(
    network: CountNetwork, picture: Tensor, text: ClassText, settings: CountSettings, on_pass: OnProgress
) -> PictureCount:
    """Count; where memory runs out, with half as many windows at once, down to one."""
    while True:
        try:
            with _without_tf32():
                return count_picture(network, picture, text, settings, on_pass)
        except comfy.model_management.OOM_EXCEPTION:
            if settings.batch == 1:
                raise
        comfy.model_management.soft_empty_cache()
        settings = replace(settings, batch=settings.batch // 2)


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Convolutions in full fp32, as the authors' numbers are; other precisions do not read the switch."""
    switch = torch.backends.cudnn
    before, switch.allow_tf32 = switch.allow_tf32, False
    try:
        yield
    finally:
        switch.allow_tf32 = before
