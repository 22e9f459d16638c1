"""Every row of the tables of the three papers: what they print, and the command of this pack that re-makes it.

Words in capitals in a command are the user's own files. Settings are those that the papers name; where they say "official
settings", the model's own: ISAC's images are 10 per prompt, its objects those that two of three detectors see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

ISAC, NUMINA, T2ICOUNT = "ISAC", "NUMINA", "T2ICount"
_DETECTORS = "--detector GROUNDING_DINO --detector OWLV2 --detector sam3:SAM3_FILE"
_COUNTBENCH = (
    "python -m benchmarks.countbench --prompts prompts.txt --counts noun_counts.jsonl --detector GROUNDING_DINO_TINY"
)
_EVALUATE = "python -m training.evaluate --model T2ICOUNT"
NOT_OURS = "another method"


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        paper: `ISAC`, `NUMINA` or `T2ICOUNT`.
        table: as the paper numbers it, with what its columns are.
        name: of the row.
        figure: what the paper prints.
        command: what re-makes it; None where this pack has none.
        why: where there is no command.
        ours: the figure that was made with it; "" where none could be.
    """

    paper: str
    table: str
    name: str
    figure: str
    command: str | None = None
    why: str = ""
    ours: str = ""


def _intracomp(model: str, method: str, *more: str) -> str:
    return " ".join(("python -m benchmarks.intracomp", model, f"--method {method}", *more, _DETECTORS))


# Model of ISAC's tables -> how it is loaded and sampled.
MODELS = {
    "SD1.4": "--checkpoint SD14",
    "SD1.5": "--checkpoint SD15",
    "SD2.1": "--checkpoint SD21 --size 768",
    "SDXL": "--checkpoint SDXL --size 1024 --steps 50 --cfg 5 --sampler euler --scheduler normal",
    "PixArt-alpha": "--workflow PIXART_ALPHA.json --servers URL,URL --steps 20 --cfg 4.5",
    "PixArt-Sigma": "--workflow PIXART_SIGMA.json --servers URL,URL --steps 20 --cfg 4.5",
    "SD3.5-M": "--workflow SD35_MEDIUM.json --servers URL,URL --steps 40 --cfg 4.5 --size 1024",
    "TokenCompose": "--checkpoint TOKENCOMPOSE",
    "IterComp": "--checkpoint ITERCOMP --size 1024 --steps 50 --cfg 5 --sampler euler --scheduler normal",
    "Flux.1-dev": "--workflow FLUX1_DEV.json --servers URL,URL --steps 50",
    "Flux.2-dev": "--workflow FLUX2_DEV.json --servers URL,URL --steps 50",
    "Flux.2-klein-4B": "--workflow FLUX2_KLEIN.json --servers URL,URL --steps 4",
    "Qwen-Image": "--workflow QWEN_IMAGE.json --servers URL,URL --steps 50 --cfg 4",
    "Z-Image-Turbo": "--workflow Z_IMAGE_TURBO.json --servers URL,URL --steps 8",
}
_OTHERS = ("A&E", "SynGen", "InitNO", "TEBOpt")
_TABLE_1 = {
    "SD1.4": ("30 2 1 0 8 / 94 74 28 22 55", "66 34 29 16 36 / 100 90 51 40 70"),
    "SD1.5": ("28 2 1 0 8 / 88 65 36 26 54", "65 31 29 18 36 / 95 82 56 44 69"),
    "SD2.1": ("31 6 3 0 10 / 91 74 41 28 58", "67 35 34 20 39 / 98 88 64 42 73"),
    "SDXL": ("20 4 3 0 7 / 90 71 49 32 61", "57 32 29 17 34 / 96 89 71 47 76"),
    "PixArt-alpha": ("27 3 1 0 8 / 99 93 33 15 60", "63 30 29 21 36 / 100 100 56 31 72"),
    "PixArt-Sigma": ("39 8 0 0 12 / 98 98 30 16 60", "78 39 31 20 42 / 100 100 48 31 70"),
    "SD3.5-M": ("62 23 12 3 25 / 84 71 51 51 64", "98 51 40 20 52 / 98 91 72 69 83"),
}
_TABLE_1_OTHERS = {
    "SD1.4": (
        *("50 9 8 2 17 / 97 79 26 23 56", "54 11 6 2 18 / 90 69 25 19 51"),
        *("58 10 7 4 20 / 94 79 31 20 56", "55 13 8 2 19 / 91 73 31 20 54"),
    ),
    "SD1.5": (
        *("48 10 5 2 16 / 91 68 34 24 54", "50 9 4 2 16 / 84 61 38 22 51"),
        *("55 12 7 5 20 / 90 68 40 29 57", "52 11 8 3 18 / 87 65 36 27 54"),
    ),
    "SD2.1": (
        *("53 12 4 1 18 / 94 79 39 29 60", "55 10 7 3 19 / 87 69 38 25 55"),
        *("59 13 11 5 22 / 91 79 44 26 60", "56 14 7 6 21 / 88 75 44 27 58"),
    ),
}


def _isac_1() -> Iterator[Row]:
    """v1: models, ablations, other bases, numeracy."""
    one = "Table 1, multi-class #2 to #5 and average / multi-instance"
    for model, (plain, steered) in _TABLE_1.items():
        yield Row(ISAC, one, model, plain, _intracomp(MODELS[model], "none"))
        for name, figure in zip(_OTHERS, _TABLE_1_OTHERS.get(model, ()), strict=False):
            yield Row(ISAC, one, f"{model} + {name}", figure, why=NOT_OURS)
        yield Row(ISAC, one, f"{model} + ISAC", steered, _intracomp(MODELS[model], "isac-paper"))
    ablations = {
        "Table 2, schedule: multi-class / multi-instance": {
            "A: instances only": ("10 / 65", "isac_ablation:schedule=A"),
            "B: classes only": ("28 / 54", "isac_ablation:schedule=B"),
            "C: both alike": ("25 / 60", "isac_ablation:schedule=C"),
            "D: classes to instances": ("21 / 55", "isac_ablation:schedule=D"),
            "E: instances to classes (ISAC)": ("36 / 69", "isac_ablation:schedule=E"),
        },
        "Table 3, metric: multi-class / multi-instance": {
            "MAE": ("9 / 55", "isac_ablation:metric=mae"),
            "KL": ("16 / 60", "isac_ablation:metric=kl"),
            "IoU": ("20 / 61", "isac_ablation:metric=iou"),
            "MPO (ISAC)": ("36 / 69", "isac_ablation:metric=mpo"),
        },
        "Table 4, clustering: multi-class / multi-instance": {
            "K-means (ISAC)": ("36 / 69", "isac_paper:clustering=kmeans"),
            "spectral": ("35 / 69", "isac_paper:clustering=spectral"),
            "GMM": ("36 / 69", "isac_paper:clustering=gmm"),
        },
        "eta": {
            f"{eta:g}": ("the same trends from 5e-3 to 1e-1", f"isac_paper:step_size={eta:g}")
            for eta in (0.005, 0.01, 0.05, 0.1)
        },
    }
    for table, rows in ablations.items():
        for name, (figure, method) in rows.items():
            yield Row(ISAC, table, name, figure, _intracomp(MODELS["SD1.5"], method))
    yield from _isac_1_others()


def _isac_1_others() -> Iterator[Row]:
    eight, nine = "Table 8, SD1.4, multi-instance #2 to #5 and average", "Table 9, multi-class / multi-instance"
    yield Row(ISAC, eight, "Counting Guidance", "79 67 32 19 49", why=NOT_OURS)
    yield Row(ISAC, eight, "ISAC", "100 90 51 40 70", _intracomp(MODELS["SD1.4"], "isac-paper"))
    figures = {
        "TokenCompose": ("27 4 1 0 8 / 77 65 41 13 49", "62 36 28 17 36 / 84 80 60 30 63"),
        "IterComp": ("11 5 4 0 5 / 95 73 64 37 67", "46 28 26 21 30 / 99 93 85 55 83"),
    }
    for model, (plain, steered) in figures.items():
        yield Row(ISAC, nine, model, plain, _intracomp(MODELS[model], "none"))
        yield Row(ISAC, nine, f"{model} + ISAC", steered, _intracomp(MODELS[model], "isac-paper"))
    numeracy = "Table 11, T2I-CompBench++ numeracy (its own score; the command gives exact and ratio)"
    for model, (plain, steered) in {"SD1.5": ("46.5", "54.3"), "SDXL": ("50.7", "63.4")}.items():
        prompts = "--prompts numeracy_val.txt"
        yield Row(ISAC, numeracy, model, plain, _intracomp(MODELS[model], "none", prompts))
        yield Row(ISAC, numeracy, f"{model} + ISAC", steered, _intracomp(MODELS[model], "isac-paper", prompts))


def _isac_4() -> Iterator[Row]:
    """v4: compositional benchmarks, selection, few steps, layouts."""
    two = "v4 Table 2, IntraCompBench multi-class #2 to #5 and average"
    others = {
        "SD1.5": {"Self-Cross": "48 8 4 2 15", "DOS": "56 14 7 4 20"},
        "SD3.5-M": {
            **{"A&E": "65 29 16 5 28", "SynGen": "66 28 15 6 28", "InitNO": "77 31 17 7 33"},
            **{"TEBOpt": "78 31 19 8 34", "Self-Cross": "78 38 19 3 34", "DOS": "79 33 18 7 34"},
        },
    }
    for model, figures in others.items():
        for name, figure in figures.items():
            yield Row(ISAC, two, f"{model} + {name}", figure, why=NOT_OURS)
        yield Row(
            ISAC,
            two,
            f"{model} + ISAC_LO",
            _TABLE_1[model][1].partition(" /")[0],
            _intracomp(MODELS[model], "isac-paper"),
        )
    attributes = "v4 Table 2, HRS colour spatial size / T2I-CompBench colour texture complex"
    why = "scored by those benchmarks' own evaluators"
    for name, figure in {
        "SD1.5": ".136 .094 .091 / .356 .406 .306",
        "SD1.5 + ISAC_LO": ".318 .263 .252 / .683 .631 .354",
        "SD3.5-M": ".425 .264 .209 / .796 .726 .377",
        "SD3.5-M + ISAC_LO": ".473 .350 .258 / .838 .739 .388",
    }.items():
        yield Row(ISAC, attributes, name, figure, why=why)
    selection = "v4 Table 13, multi-class #2 to #5 and average / multi-instance; best of 10"
    for model, (plain, chosen) in {
        "Qwen-Image": ("91 45 33 10 48 / 98 92 84 70 86", "99 58 42 25 56 / 99 96 89 78 91"),
        "Flux.2-dev": ("97 95 84 78 88 / 100 93 81 75 87", "99 98 89 83 92 / 100 98 88 81 92"),
        "Flux.1-dev": ("31 (multi-class)", "51 (multi-class)"),
    }.items():
        yield Row(ISAC, selection, model, plain, _intracomp(MODELS[model], "none"))
        yield Row(ISAC, selection, f"{model} + ISAC_LS", chosen, _intracomp(MODELS[model], "isac-ls"))
    for name, figure in {"GPT-Image-1.5": "97 / 98", "Nano Banana 2": "95 / 99"}.items():
        yield Row(ISAC, selection, f"{name} (averages)", figure, why="a service, not a model that ComfyUI loads")
    few = "v4, few-step models, multi-class average"
    for model, (plain, steered) in {"Z-Image-Turbo": ("48", "68"), "Flux.2-klein-4B": ("34", "54")}.items():
        yield Row(ISAC, few, model, plain, _intracomp(MODELS[model], "none"))
        yield Row(ISAC, few, f"{model} + ISAC_LO", steered, _intracomp(MODELS[model], "isac-paper"))
    hrs = "v4, GLIGEN on HRS-Bench, counting F1"
    for name, figure in {"GLIGEN": ".666", "GLIGEN + ISAC_LO": ".713"}.items():
        yield Row(
            ISAC, hrs, name, figure, why="each prompt has boxes of its own, which no command puts into a workflow"
        )


def _countbench(workflow: str, method: str, folder: str, *more: str) -> str:
    made = f"--workflow {workflow}.json --servers URL,URL --method {method} --videos {folder} --out {folder}_results"
    return " ".join((_COUNTBENCH, made, "--clip CLIP", *more))


_VIDEO = {
    "Wan2.1-1.3B": ("WAN21_1_3B", "42.3/81.2/33.9", "45.5/82.3/34.6", "47.2/82.1/33.7", "49.7/83.4/35.6"),
    "Wan2.2-5B": ("WAN22_5B", "47.8/85.0/34.3", "48.8/84.7/34.1", "49.0/84.3/34.2", "52.7/85.0/34.7"),
    "Wan2.1-14B": ("WAN21_14B", "53.6/83.3/34.2", "56.1/83.5/34.0", "56.9/84.3/34.0", "59.1/84.0/34.4"),
    "CogVideoX-5B": ("COGVIDEOX", "40.2/78.1/34.8", "42.7/78.3/34.8", "42.5/79.0/34.5", "44.4/80.2/35.4"),
}
_SEEDS = "the same command with --seed 1 to 5, each into folders of its own; the best by CountAcc"
_PAPER = "numina:method=paper"
_DETECTED_LAYOUT = (
    "its boxes are found in the frames of a first video and corrected to the counts like instances of attention; the input "
    "*layout* takes boxes of what is wanted, the same for all frames, and corrects nothing"
)
# Table -> row -> figure, and what is exchanged in the paper's method.
_NUMINA_ABLATIONS = {
    "Table 3, cost of": {
        "Co": ("45.1", "cost=overlap"),
        "Co + Cc": ("46.9", "cost=overlap-center"),
        "Co + Ct": ("48.9", "cost=overlap-temporal"),
        "all (NUMINA)": ("49.7", ""),
    },
    "Table 4, heads": {
        "random": ("44.1", "heads=random"),
        "mean": ("43.0", "heads=mean"),
        "top 3": ("48.2", "heads=top3"),
        "top 2": ("49.4", "heads=top2"),
        "top 1 (NUMINA)": ("49.7", ""),
    },
    "Table 9, without reference": {
        "nothing": ("48.8", "stand_in=nothing"),
        "rectangle": ("49.5", "stand_in=rectangle"),
        "circle (NUMINA)": ("49.7", ""),
    },
    "Table 10, lambda / tau / k": {
        "lambda = 4": ("49.3", "lambda_temporal=4"),
        "lambda = 16": ("49.5", "lambda_temporal=16"),
        "tau = 0.1": ("48.4", "overlap=0.1"),
        "tau = 0.3": ("49.2", "overlap=0.3"),
        "k = 0.5": ("48.2", "circle=0.5"),
        "k = 1": ("49.2", "circle=1"),
        "8, 0.2, 0.8 (NUMINA)": ("49.7", ""),
    },
    "Table 11, corrections": {
        "addition": ("47.7", "corrections=addition"),
        "removal": ("43.8", "corrections=removal"),
        "both (NUMINA)": ("49.7", ""),
    },
}


def _numina() -> Iterator[Row]:
    one = "Tables 1 and 6, CountAcc/TC/CLIP"
    for model, (file, plain, seeds, enhanced, guided) in _VIDEO.items():
        yield Row(NUMINA, one, model, plain, _countbench(file, "plain", f"{file}_plain"))
        yield Row(
            NUMINA, one, f"{model}, best of 5 seeds", seeds, _countbench(file, "plain", f"{file}_SEED", "--seed SEED")
        )
        yield Row(
            NUMINA,
            one,
            f"{model}, enhanced prompts",
            enhanced,
            why="a language model writes them: give --prompts yours",
        )
        if file == "COGVIDEOX":
            yield Row(NUMINA, one, f"{model} + NUMINA", guided, why="the pack does not read CogVideoX")
        else:
            yield Row(NUMINA, one, f"{model} + NUMINA", guided, _countbench(file, _PAPER, f"{file}_paper"))
    file = "WAN21_1_3B"
    time = "Table 5, Wan2.1-1.3B, seconds and CountAcc"
    yield Row(NUMINA, time, "NUMINA", "431 s, 49.7", _countbench(file, _PAPER, f"{file}_paper"))
    yield Row(
        NUMINA, time, "with EasyCache", "355 s, 49.4", _countbench(file, "numina:method=release", f"{file}_release")
    )
    figure_7 = "Figure 7, Wan2.1-1.3B, CountAcc by the reference step"
    for percent, figure in ((0.2, "lower"), (0.4, "49.7"), (0.8, "about 51.3")):
        method = f"{_PAPER}:reference_percent={percent}"
        yield Row(NUMINA, figure_7, f"t* = {percent:g} T", figure, _countbench(file, method, f"{file}_t{percent:g}"))
    yield Row(NUMINA, "Table 7, Wan2.1-1.3B", "with seeds and enhanced prompts", "54.2/83.6/35.5", why=_SEEDS)
    two = "Table 2, layout of, Wan2.1-1.3B, CountAcc/TC"
    yield Row(NUMINA, two, "Grounding DINO", "47.5/82.8", why=_DETECTED_LAYOUT)
    yield Row(NUMINA, two, "attention (NUMINA)", "49.7/83.4", _countbench(file, _PAPER, f"{file}_paper"))
    for table, rows in _NUMINA_ABLATIONS.items():
        for name, (figure, exchanged) in rows.items():
            method, folder = _PAPER, f"{file}_paper"
            if exchanged:
                method = f"numina_ablation:{exchanged}"
                folder = f"{file}_{exchanged.replace('=', '_')}"
            row = Row(NUMINA, f"{table}, Wan2.1-1.3B, CountAcc", name, figure)
            yield replace(row, command=_countbench(file, method, folder))
    for table, figure in (
        ("Table 8, VBench subject consistency", "83.6"),
        ("Table 12, imaging/aesthetic", "70.9/63.5"),
    ):
        yield Row(NUMINA, table, "Wan2.1-1.3B + NUMINA", figure, why="scored by VBench")


def _t2icount() -> Iterator[Row]:
    sets = {
        "FSC-147 val": ("13.78/58.78", "--set fsc147 --data FSC147 --split val"),
        "FSC-147 test": ("11.76/97.86", "--set fsc147 --data FSC147 --split test"),
        "FSC-147-S v2": ("5.99/10.55", "--set fsc147-s --data FSC147 --list FSC-147-S.json"),
        "FSC-147-S v1": ("4.69/-", "--set fsc147-s --data FSC147 --list FSC-147-S-v1.json"),
        "CARPK": ("8.61/13.47", "--set carpk --data CARPK"),
    }
    for name, (figure, options) in sets.items():
        yield Row(T2ICOUNT, "Tables 1 to 3, MAE/RMSE", name, figure, f"{_EVALUATE} {options}")
    for name, figure in {
        "CLIP-Count": "45.59/98.96", "CounTX": "28.67/89.18", "VLCounter": "33.10/69.34", "PseCo": "30.53/43.92",
        "DAVE": "46.36/97.11",
    }.items():  # fmt: skip
        yield Row(T2ICOUNT, "FSC-147-S v2, MAE/RMSE", name, figure, why=NOT_OURS)
    four = "Table 4, FSC-147-S v1, MAE"
    for name, (figure, folder, options) in {
        "B": ("24.34", "b", " --no-semantic --no-coherence"),
        "B + L_RRC": ("9.59", "b_rrc", " --no-semantic"),
        "full": ("4.69", "full", ""),
    }.items():
        train = f"python -m training.train --data FSC147 --start SD15 --out runs/{folder}{options}"
        counted = f"python -m training.evaluate --model runs/{folder}/best.safetensors {sets['FSC-147-S v1'][1]}"
        yield Row(T2ICOUNT, four, name, figure, f"{train} && {counted}")


def paper_rows() -> list[Row]:
    """All of them, in the papers' order."""
    parts: Iterable[Iterator[Row]] = (_isac_1(), _isac_4(), _numina(), _t2icount())
    return [row for part in parts for row in part]
