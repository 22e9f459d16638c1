"""How much longer Count Prompt takes than CLIP Text Encode: `python -m benchmarks.prompt_cost [--words N ...]`.

Prompts of several lengths are encoded by Stable Diffusion 1.5's text encoder, at its real size with random weights. Count
Prompt tokenizes and encodes the same text and reads it. Printed are the least processor seconds of some rounds, and their
ratio. The last column says whether a word takes longer to read in a long prompt than in a short one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sd1_clip  # noqa: E402
from headcount.bridge.prompts.token_positions import count_prompt  # noqa: E402

from .lab.command import new_parser, positive  # noqa: E402
from .lab.tables import table  # noqa: E402

_PART = (
    "Two small dogs and a cat sit in front of three old houses while several children play with red balls. "
    "一只猫和两只狗在草地上玩耍。 A woman in a blue coat holds four balloons, "
)
_ROUNDS = 3


@dataclass(frozen=True)
class Cost:
    """Processor seconds of one prompt.

    Attributes:
        words: how many it has.
        plain: to tokenize and encode it.
        counted: the same and its reading.
    """

    words: int
    plain: float
    counted: float

    @property
    def row(self) -> Sequence[str]:
        """Cells of the table."""
        each = (self.counted - self.plain) / self.words * 1000
        return (
            f"{self.words:,}",
            f"{self.plain:.2f} s",
            f"{self.counted:.2f} s",
            f"{self.counted / self.plain:.2f}x",
            f"{each:.2f} ms",
        )


class _Clip:
    """What Count Prompt needs of a CLIP to read a prompt, and the encoder itself."""

    def __init__(self) -> None:
        self.tokenizer = comfy.sd1_clip.SD1Tokenizer()
        self._encoder = comfy.sd1_clip.SD1ClipModel(device="cpu", dtype=torch.float32)

    def tokenize(self, text: str) -> Any:
        return self.tokenizer.tokenize_with_weights(text)

    @torch.inference_mode()
    def encode(self, tokens: Any) -> None:
        self._encoder.encode_token_weights(tokens)


def prompt_of(words: int) -> str:
    """A prompt of so many words."""
    part = _PART.split()
    return " ".join((part * (words // len(part) + 1))[:words])


def cost_of(words: int, clip: Any, rounds: int = _ROUNDS) -> Cost:
    """What a prompt of so many words takes."""
    text = prompt_of(words)
    tokens = clip.tokenize(text)
    plain, read, encoding = (
        min(_seconds(part) for _ in range(rounds))
        for part in (lambda: clip.tokenize(text), lambda: count_prompt(clip, text), lambda: clip.encode(tokens))
    )
    return Cost(words, plain + encoding, read + encoding)


def _seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--words", type=positive, nargs="+", default=[20, 300, 3_000])
    arguments = parser.parse_args()
    clip = _Clip()
    cost_of(20, clip)  # the first reading compiles patterns
    header = ("words", "CLIP Text Encode", "Count Prompt", "ratio", "reading, per word")
    print(*table(header, [cost_of(words, clip).row for words in arguments.words]), sep="\n")


if __name__ == "__main__":
    main()
