"""Peak memory of a step, plain and recorded, at real sizes: `python -m benchmarks.recorder_memory --model sdxl`.

Of all tensors that live at a time, on PyTorch's "meta" device: real configurations in half precision, without numbers.
That of the run's records themselves, on the CPU, is not among them.
"""

from __future__ import annotations

from typing import Any

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import torch  # noqa: E402
from headcount.bridge.recording.recorder import new_recorder  # noqa: E402
from headcount.core.attention import (  # noqa: E402
    MAX_SELF_PIXELS,
    CallList,
    CallSums,
    LayerRequest,
)

from .lab.command import new_parser  # noqa: E402
from .lab.measures import FUSED, peak_bytes, without_numbers  # noqa: E402
from .lab.models import LoadedModel  # noqa: E402
from .lab.real_models import KINDS, cost_model  # noqa: E402
from .lab.steps import capture_step, model_calls  # noqa: E402


def recorded_step(model: LoadedModel, options: dict[str, Any]) -> None:
    """The first step of a recorded run, the most expensive one, to its maps."""
    recorder = new_recorder([model.counted])
    assert recorder is not None, "the models' prompts count something"
    request = LayerRequest(recorder.kept_words, model.counted.text_layout.length)
    capture_step(model, lambda reader: CallSums(request, CallList(MAX_SELF_PIXELS, reader.one_grid)), options).maps()


def main() -> None:
    """Measure and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--model", choices=sorted(KINDS), required=True)
    given = parser.parse_args()
    model = cost_model(given.model, torch.device("meta"), torch.float16, None)
    with without_numbers(), torch.no_grad():
        network = model.patcher.model.diffusion_model
        plain = peak_bytes(lambda: model_calls(model, FUSED), network)
        recorded = peak_bytes(lambda: recorded_step(model, FUSED), network)
    more = f"{(recorded - plain) / 1e9:+.3f} GB"
    print(
        f"{given.model}, latent {tuple(model.x.shape)}: plain {plain / 1e9:.3f} GB, recorded {recorded / 1e9:.3f} GB, {more}"
    )


if __name__ == "__main__":
    main()
