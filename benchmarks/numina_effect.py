"""Does NUMINA Count Guide make the Shapes model count better, alone and together with ISAC, and what does it cost?

`python -m benchmarks.numina_effect` samples every prompt with every method from the same noise, through ComfyUI's own
sampler, counts the pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference to plain
sampling. Finished pictures are kept in --out and not made again. The settings were chosen with prompts of other seeds.
"""

from __future__ import annotations

from pathlib import Path

from .lab.effects import Prompts, run_command
from .lab.sampling import IsacSettings, Method, NuminaSettings

METHODS = {
    "none": Method(),
    "NUMINA": Method(guide=NuminaSettings()),
    "NUMINA, as published": Method(guide=NuminaSettings(method="paper")),
    "NUMINA, as released": Method(guide=NuminaSettings(method="release")),
    "ISAC fast": Method(IsacSettings(mode="fast")),
    "ISAC fast and NUMINA": Method(IsacSettings(mode="fast"), guide=NuminaSettings()),
}


def main() -> None:
    """Run and print."""
    run_command(
        __doc__,
        METHODS,
        tuple(METHODS),
        Prompts(single=112, several=88, coloured=40, seed=3, most=8),
        Path("output/numina_effect.jsonl"),
        str,
        lambda _: iter(()),
    )


if __name__ == "__main__":
    main()
