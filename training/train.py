"""Trains T2ICount on FSC-147, from Stable Diffusion 1.5 or on from a T2ICount model.

  python -m training.train --data FSC147 --start v1-5-pruned-emaonly.safetensors --out runs/first

--data is the folder of FSC-147 as its authors publish it:
  images_384_VarV2/*.jpg                      the pictures
  gt_density_map_adaptive_384_VarV2/*.npy     their densities
  FSC_147/Train_Test_Val_FSC_147.json         which picture is for what
  FSC_147/annotation_FSC147_384.json          points: the true counts of the validation pictures
  FSC_147/ImageClasses_FSC147.txt             the noun of each picture

--out then holds log.csv (one row per epoch), best.safetensors (smallest validation MAE + RMSE), last.safetensors and
resume.pt. Ctrl-C stops after the present batch; the same command goes on from there, and ends up where a run without
interruption would have. Load T2ICount Model loads best.safetensors from ComfyUI's models/t2icount.

The network is made of the classes of a ComfyUI: the one around this pack, in COMFYUI_PATH, or unpacked by `make setup`.

The defaults are those of the published training. They need a GPU: weights, gradients and Adam's state alone take about
15 GB, whatever the precision. What a batch takes on top shrinks with --accumulate 4, which runs it in four parts, and
with --precision bf16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import config_named
from headcount.core.t2icount.config import plain_backbone
from headcount.core.t2icount.counting import CountSettings
from headcount.core.t2icount.losses import LossSettings
from headcount.core.t2icount.network import CountNetwork

from .comfyui import network_builder
from .counter_training import CounterTraining, Report
from .evaluation import validation_of
from .fresh_decoder import begin_decoder
from .fsc147 import Fsc147, fsc147_counted
from .options import add_common, chosen_device, ends_with_errors, noun_tokens
from .run_folder import RunFolder
from .settings import PRECISIONS, TrainSettings
from .start import start_network
from .stopping import stops_on_interrupt

_DEFAULTS = TrainSettings()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="FSC-147, see above")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="Stable Diffusion 1.5 or T2ICount, as .safetensors, .ckpt or .pth; or the Shapes demo model. "
        "Not read when --out holds a run to go on with",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run's files")
    _add_loop(parser)
    _add_machine(parser)
    return parser.parse_args(arguments)


def _add_loop(parser: argparse.ArgumentParser) -> None:
    """What is trained, and how."""
    loop = parser.add_argument_group("training")
    loop.add_argument("--epochs", type=int, default=_DEFAULTS.epochs, help="default %(default)s")
    loop.add_argument("--batch", type=int, default=_DEFAULTS.batch, help="examples per step; default %(default)s")
    loop.add_argument("--rate", type=float, default=_DEFAULTS.rate, help="learning rate; default %(default)s")
    loop.add_argument("--weight-decay", type=float, default=_DEFAULTS.weight_decay, help="default %(default)s")
    loop.add_argument(
        "--unet-share",
        type=float,
        default=_DEFAULTS.unet_share,
        help="of learning rate and weight decay, for the U-Net; default %(default)s",
    )
    loop.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="of every random choice; default %(default)s")
    loop.add_argument(
        "--validate-from",
        type=int,
        default=_DEFAULTS.validate_from,
        metavar="EPOCH",
        help="the first epoch after which the validation pictures are counted; default %(default)s",
    )
    loop.add_argument(
        "--patience", type=int, metavar="N", help="stop after N validations without a better one; default: never"
    )
    ablation = parser.add_argument_group("ablation (Table 4 of the paper)")
    ablation.add_argument("--no-semantic", action="store_true", help="the plain backbone, without HSCM")
    ablation.add_argument("--no-coherence", action="store_true", help="without the coherence loss L_RRC")


def _add_machine(parser: argparse.ArgumentParser) -> None:
    """What it runs on, and how it fits there."""
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=_DEFAULTS.precision,
        help="what the network computes in; fp16 may overflow, since T2ICount does not scale its latents; "
        "default %(default)s",
    )
    machine.add_argument(
        "--accumulate",
        type=int,
        default=_DEFAULTS.accumulate,
        metavar="N",
        help="run a batch in N parts, with less memory and the same result; default %(default)s",
    )
    machine.add_argument(
        "--no-checkpointing",
        action="store_true",
        help="keep what the U-Net's blocks compute instead of computing it twice: faster, much more memory",
    )
    machine.add_argument("--workers", type=int, default=4, help="processes that prepare batches; default %(default)s")
    add_common(machine)


def settings_of(options: argparse.Namespace) -> TrainSettings:
    """The settings that a command line asks for."""
    return TrainSettings(
        epochs=options.epochs,
        batch=options.batch,
        accumulate=options.accumulate,
        rate=options.rate,
        weight_decay=options.weight_decay,
        unet_share=options.unet_share,
        validate_from=options.validate_from,
        patience=options.patience,
        precision=options.precision,
        checkpointing=not options.no_checkpointing,
        workers=options.workers,
        seed=options.seed,
        loss=LossSettings(similarity_weight=0.0) if options.no_coherence else LossSettings(),
    )


def run(options: argparse.Namespace) -> None:
    """Train as the options say.

    Raises:
        CountError: something given cannot be used.
    """
    settings, folder = settings_of(options), RunFolder(options.out)
    device = chosen_device(options.device)
    pictures, validation = Fsc147(options.data), fsc147_counted(options.data, "val")
    network = _begun(folder, options.start, settings.seed, not options.no_semantic)
    tokens = noun_tokens(options.tokenizer, network.config)
    validate = validation_of(validation, CountSettings("native"), _show_validation)
    training = CounterTraining(network.to(device), tokens, pictures, settings, folder, validate)
    with stops_on_interrupt() as should_stop:
        progress = training.fit(_show, should_stop)
    if progress.is_over:
        best = f", best in epoch {progress.best_epoch}: {folder.best}" if progress.best_epoch else ""
        print(f"done after {len(progress.rows)} epochs{best}; the last network: {folder.last}")
    else:
        print(f"\nstopped in epoch {progress.epoch}; the same command goes on from there")


def _begun(folder: RunFolder, start: Path | None, seed: int, semantic: bool) -> CountNetwork:
    """The network to train: weights of no meaning where the run's own are read afterwards."""
    configuration = folder.configuration()
    if configuration is not None:
        config = config_named(configuration)
        if config.semantic != semantic:
            raise CountError(
                f"{folder.path} holds a run {'with' if config.semantic else 'without'} HSCM: name another --out"
            )
        return network_builder()(config)
    if start is None:
        raise CountError(f"{folder.path} holds no run to go on with: name a model to begin with by --start")
    network = start_network(start, seed)
    if not semantic:
        network.config = plain_backbone(network.config)
        begin_decoder(network, seed)
    return network


def _show(report: Report) -> None:
    progress = report.progress
    if progress.batches:
        means = f"loss {progress.mean('loss'):.4f}, MAE {progress.mean('train_mae'):.2f}"
        print(f"\repoch {progress.epoch}: {progress.batches}/{report.batches}, {means}", end="", flush=True)
        return
    row = progress.rows[-1]
    found = f", validation MAE {report.validated.mae:.2f}, RMSE {report.validated.rmse:.2f}" if report.validated else ""
    print(
        f"\repoch {row['epoch']}: loss {row['loss']:.4f} (density {row['regression']:.4f}, similarity "
        f"{row['coarse_similarity']:.4f} {row['fine_similarity']:.4f}), MAE {row['train_mae']:.2f}{found}, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


def _show_validation(done: int, total: int) -> None:
    print(f"\rvalidation: {done}/{total} pictures" + " " * 30, end="", flush=True)


def main() -> None:
    """Run from the command line."""
    with ends_with_errors("training"):
        run(parse())


if __name__ == "__main__":
    main()
