"""What do the parts of T2ICount bring? The paper's ablation (table 4) in small, on drawn scenes.

`python -m benchmarks.t2icount_effect` trains four networks on the Shapes diffusion model, equally long and on the same
scenes: the plain backbone, with L_RRC, with HSCM, and with both. The scenes are like FSC-147: many of one kind, which is
asked for. They are judged on such scenes, and on minority scenes after FSC-147-S: many of one kind, but one or two of
the asked one. Then come mean absolute error and root mean square error with 95 % bootstrap intervals, and differences to the
full network, scene by scene. With --learn rich they are trained as the shipped counter is, on one to four kinds of which
everything is labelled, and judged on such scenes too. Networks are kept in --out; a stopped run goes on. All four are
trained with the weights of the losses that suit a network of this size (`demo.train_counter`), not the published ones, and
all four with its term against false objects. There is one training run of each, so the intervals say nothing about how runs
differ. The shipped counter, trained longer and on richer scenes, is shown beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from pathlib import Path

from torch.nn.attention import SDPBackend, sdpa_kernel

from training.pack import register_pack

register_pack()
from headcount.core.t2icount.checkpoint import load_network  # noqa: E402
from headcount.core.t2icount.config import SHAPES  # noqa: E402
from headcount.core.t2icount.network import CountNetwork  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from demo.count_scenes import (  # noqa: E402
    CountScenes,
    Recipe,
    make_scenes,
    minority_scene,
    ordinary_scene,
    rich_scene,
)
from demo.train_counter import (  # noqa: E402
    SHAPES_WORLD,
    SIMILARITY_WEIGHT,
    KnownExamples,
    begun_network,
    scenes_to_learn,
    settings_of,
)
from training.comfyui import network_builder  # noqa: E402
from training.counter_training import CounterTraining, Report  # noqa: E402
from training.options import noun_tokens  # noqa: E402
from training.run_folder import RunFolder  # noqa: E402
from training.settings import TrainSettings  # noqa: E402

from .lab.command import new_parser  # noqa: E402
from .lab.counters import SHIPPED_COUNTER  # noqa: E402
from .lab.counting_errors import counted, errors_table, truth_of  # noqa: E402

SCENES: Mapping[str, Recipe] = {"ordinary": ordinary_scene, "minority": minority_scene, "rich": rich_scene}
LEARNED = ("ordinary", "rich")
_JUDGED_SEED = 1000


@dataclass(frozen=True)
class Variant:
    """Which of the paper's parts a network has.

    Attributes:
        semantic: HSCM, text and similarity in the decoder.
        similarity_weight: of L_RRC.
    """

    semantic: bool
    similarity_weight: float


VARIANTS = {
    "backbone": Variant(semantic=False, similarity_weight=0.0),
    "with L_RRC": Variant(semantic=False, similarity_weight=SIMILARITY_WEIGHT),
    "with HSCM": Variant(semantic=True, similarity_weight=0.0),
    "full": Variant(semantic=True, similarity_weight=SIMILARITY_WEIGHT),
}


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        scenes: to train with.
        epochs: passes over them.
        judged: scenes of each kind to judge with.
        seed: of scenes and networks.
        learn: of `LEARNED`, the scenes to train with.
        batch: scenes of a step.
    """

    scenes: int = 2400
    epochs: int = 3
    judged: int = 300
    seed: int = 0
    learn: str = "ordinary"
    batch: int = TrainSettings.batch

    @property
    def judged_with(self) -> dict[str, CountScenes]:
        """Scenes that no network has learned from."""
        kinds = {"ordinary", "minority", self.learn}
        return {
            kind: make_scenes(SCENES[kind], self.judged, _JUDGED_SEED + self.seed) for kind in SCENES if kind in kinds
        }


def train(name: str, plan: Plan, out: Path, report: Callable[[str], None]) -> CountNetwork:
    """Train one variant in a folder of its own, or go on with it, or only read it where it is finished."""
    variant, folder = VARIANTS[name], RunFolder(out / plan.learn / name.replace(" ", "_"))
    network, scenes = begun_network(plan.seed, variant.semantic), _scenes(plan)
    training = CounterTraining(network, noun_tokens(None, SHAPES), scenes, _settings(variant, plan), folder)
    if plan.learn == "rich":
        training.examples = KnownExamples(scenes, network.config, plan.seed)
    with sdpa_kernel(SDPBackend.MATH):  # on a CPU, the backward pass of PyTorch's kernel takes longer
        training.fit(partial(_tell, name, report))
    return network


@cache
def _scenes(plan: Plan) -> CountScenes:
    return scenes_to_learn(replace(SHAPES_WORLD, recipe=SCENES[plan.learn]), plan.scenes, plan.seed)


def _settings(variant: Variant, plan: Plan) -> TrainSettings:
    settings = settings_of(plan.epochs, plan.seed)
    loss = replace(settings.loss, similarity_weight=variant.similarity_weight)
    return replace(settings, batch=plan.batch, loss=loss)


def _tell(name: str, report: Callable[[str], None], done: Report) -> None:
    if not done.progress.batches:
        row = done.progress.rows[-1]
        report(f"{name}: epoch {row['epoch']}, loss {row['loss']:.4f}, {row['seconds']:.0f} s")


def main() -> None:
    """Train, judge and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--scenes", type=int, default=Plan.scenes, help="to train with")
    parser.add_argument("--epochs", type=int, default=Plan.epochs, help="passes over them")
    parser.add_argument("--judged", type=int, default=Plan.judged, help="scenes of each kind to judge with")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        action="append",
        help="only this network, may be given several times; without full, no table is printed",
    )
    parser.add_argument("--learn", choices=LEARNED, default=Plan.learn, help="rich: as the shipped counter was trained")
    parser.add_argument("--batch", type=int, default=Plan.batch, help="scenes of a step")
    parser.add_argument("--out", type=Path, default=Path("output/t2icount_effect"))
    arguments = parser.parse_args()
    options = vars(arguments)
    plan = Plan(**{field.name: options[field.name] for field in fields(Plan)})
    report = partial(print, flush=True)
    networks = {name: train(name, plan, arguments.out, report) for name in arguments.variant or VARIANTS}
    if "full" not in networks:
        return
    if SHIPPED_COUNTER.exists():
        networks["shipped counter"] = load_network(load_file(SHIPPED_COUNTER), network_builder()).float()
    judged = plan.judged_with
    errors = {
        name: {kind: counted(network, scenes) - truth_of(scenes) for kind, scenes in judged.items()}
        for name, network in networks.items()
    }
    print("\n" + "\n".join(errors_table(errors)))


if __name__ == "__main__":
    main()
