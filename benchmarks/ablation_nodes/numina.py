"""NUMINA's method *paper* with one part exchanged (Tables 3, 4 and 9 to 11): `numina_ablation:heads=top2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from . import pack

NODE_ID = "HeadcountNuminaAblation"
EXCHANGED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cost": {
        "all": {},
        "overlap": {"lambda_center": 0.0, "lambda_temporal": 0.0},
        "overlap-center": {"lambda_temporal": 0.0},
        "overlap-temporal": {"lambda_center": 0.0},
    },
    "heads": {
        "top1": {},
        "top2": {"averaged_heads": 2},
        "top3": {"averaged_heads": 3},
        "mean": {"heads": "mean"},
        "random": {"heads": "random"},
    },
    "stand_in": {name: {"stand_in": name} for name in ("circle", "rectangle", "nothing")},
    "corrections": {name: {"corrections": name} for name in ("both", "addition", "removal")},
}
"""Setting -> choice -> what it changes in `PublishedSettings`; the paper's comes first."""
_DEFAULTS = {name: next(iter(choices)) for name, choices in EXCHANGED.items()}


class NuminaAblation(io.ComfyNode):
    """Stands where NUMINA Count Guide stands."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=NODE_ID,
            display_name="NUMINA with one part exchanged",
            category="Headcount/Benchmarks",
            description="NUMINA Count Guide with method paper, one part of which is exchanged: rows of the paper's tables.",
            inputs=[
                io.Model.Input("model"),
                *(
                    io.Combo.Input(name, options=list(choices), default=_DEFAULTS[name])
                    for name, choices in EXCHANGED.items()
                ),
                io.Float.Input("lambda_temporal", default=8.0, min=0.0, max=1000.0, tooltip="λ of the paper."),
                io.Float.Input("overlap", default=0.2, min=0.0, max=1.0, tooltip="τ of the paper."),
                io.Float.Input("circle", default=0.8, min=0.0, max=100.0, tooltip="k of the paper."),
                io.Int.Input("head_seed", default=0, min=0, max=2**31 - 1, tooltip="Of heads=random."),
            ],
            outputs=[io.Model.Output(), io.Custom("HEADCOUNT_MAPS").Output(display_name="MAPS")],
        )

    @classmethod
    def execute(cls, model, lambda_temporal, overlap, circle, head_seed, **choices) -> io.NodeOutput:
        """MODEL and MAPS.

        Raises:
            CountError: there is no such choice, or the model is of a family whose attention cannot be guided.
        """
        numina, bridge = pack("core.numina"), pack("bridge.numina.node")
        changed: dict[str, Any] = {"lambda_temporal": lambda_temporal, "overlap": overlap, "seed": head_seed}
        published = numina.PAPER.layout.published
        for name, value in choices.items():
            if value not in EXCHANGED[name]:
                raise pack("core.errors").CountError(
                    f"numina_ablation has no {name} {value!r}; it has {', '.join(EXCHANGED[name])}"
                )
            changed.update(EXCHANGED[name][value])
        if changed["lambda_temporal"] != lambda_temporal != published.lambda_temporal:
            raise pack("core.errors").CountError(
                f"numina_ablation: cost={choices['cost']} has no temporal term that lambda_temporal={lambda_temporal:g} could "
                "weigh: leave lambda_temporal out, or take cost=all or cost=overlap-temporal"
            )
        paper = numina.PAPER
        preset = replace(
            paper,
            layout=replace(paper.layout, published=replace(published, **changed)),
            guidance=replace(paper.guidance, circle=circle),
        )
        settings = pack("bridge.numina.settings").NuminaSettings(method="paper", exchanged=preset)
        return io.NodeOutput(*bridge.with_numina(model, settings))
