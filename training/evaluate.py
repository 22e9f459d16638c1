"""Evaluates a T2ICount model as its authors do: MAE and RMSE of counts that are not rounded.

  python -m training.evaluate --model best.safetensors --set fsc147 --data FSC147 --split test
  python -m training.evaluate --model best_model_paper.pth --set fsc147-s --data FSC147 --list FSC-147-S.json
  python -m training.evaluate --model best.safetensors --set carpk --data CARPK

fsc147    FSC-147 (folders images_384_VarV2 and FSC_147, see python -m training.train --help); published: test
          11.76 / 97.86, val 13.78 / 58.78
fsc147-s  pictures of FSC-147 that show few of the kind asked for; --list is the T2ICount authors' FSC-147-S.json (230
          pictures; published 5.99 / 10.55) or FSC-147-S-v1.json (196 pictures; published MAE 4.69)
carpk     CARPK (folders Images, Annotations, ImageSets) with the noun "cars"; published: test 8.61 / 13.47
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import load_network
from headcount.core.t2icount.counting import CountSettings, PictureCount

from .carpk import carpk_counted
from .comfyui import network_builder
from .counted_pictures import CountedPicture
from .evaluation import OnCount, evaluate
from .fsc147 import SPLIT_NAMES, fsc147_counted, fsc147s_counted
from .options import add_common, chosen_device, ends_with_errors, noun_tokens
from .start import read_weights
from .texts import NounTexts

SETS = ("fsc147", "fsc147-s", "carpk")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="T2ICount, .safetensors or .pth")
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="of FSC-147 or CARPK")
    parser.add_argument("--split", choices=SPLIT_NAMES, default="test", help="default %(default)s")
    parser.add_argument("--list", type=Path, metavar="FILE", help="FSC-147-S.json; needed by --set fsc147-s")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row per picture")
    parser.add_argument("--stride", type=int, help="pixels from window to window; default: side by side, as published")
    parser.add_argument(
        "--maps", type=Path, metavar="FOLDER", help="write density, similarity and fused attention, an .npz per picture"
    )
    add_common(parser)
    return parser.parse_args(arguments)


def pictures_of(options: argparse.Namespace) -> list[CountedPicture]:
    """The pictures that the options name.

    Raises:
        CountError: the set cannot be read, or has no pictures.
    """
    if options.set == "fsc147":
        pictures = fsc147_counted(options.data, options.split)
    elif options.set == "carpk":
        pictures = carpk_counted(options.data, options.split)
    elif options.list is None:
        raise CountError("--set fsc147-s needs --list: FSC-147-S.json of the T2ICount authors")
    else:
        pictures = fsc147s_counted(options.data, options.list)
    if not pictures:
        raise CountError(f"{options.data} has no pictures for --set {options.set} --split {options.split}")
    return pictures


def run(options: argparse.Namespace) -> None:
    """Evaluate as the options say.

    Raises:
        CountError: something given cannot be used.
    """
    pictures, device = pictures_of(options), chosen_device(options.device)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # the published figures are in fp32
    network = load_network(read_weights(options.model), network_builder()).float().eval().to(device)
    texts = NounTexts(network, noun_tokens(options.tokenizer, network.config))
    with torch.inference_mode():
        settings = CountSettings("native", stride=options.stride, attention=options.maps is not None)
        found = evaluate(network, texts, pictures, settings, _show, on_count=_writer(options.maps))
    if options.csv is not None:
        options.csv.write_text(found.as_csv())
    print(
        f"\r{options.set}, {found.errors.pictures} pictures: MAE {found.errors.mae:.3f}, RMSE {found.errors.rmse:.3f}"
    )


def _writer(folder: Path | None) -> OnCount | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)

    def write(picture: CountedPicture, count: PictureCount) -> None:
        maps = {"density": count.density, "similarity": count.similarity, "attention": count.attention}
        np.savez(folder / f"{Path(picture.name).stem}.npz", **{name: one[0].numpy() for name, one in maps.items()})

    return write


def _show(done: int, total: int) -> None:
    print(f"\r{done}/{total} pictures", end="", flush=True)


def main() -> None:
    """Run from the command line."""
    with ends_with_errors("evaluation"):
        run(parse())


if __name__ == "__main__":
    main()
