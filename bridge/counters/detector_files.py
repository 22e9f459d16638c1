"""Folders of zero-shot detectors of the `transformers` library: found, checked and read without network or remote code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths

from ...core.errors import CountError

FOLDER = "headcount_detectors"
NO_FOLDER = f"put a detector's folder into models/{FOLDER}"
"""Stands in the list of detectors when there is none."""


@dataclass(frozen=True)
class Architecture:
    """A kind of detector in `transformers`.

    Attributes:
        name: what its authors call it.
        model, processor: its classes there.
        since: the first version that has them.
        prompt: a noun in the singular to the text that it was trained with.
        example: a model on Hugging Face whose files work.
    """

    name: str
    model: str
    processor: str
    since: str
    prompt: Callable[[str], str]
    example: str


def _label(noun: str) -> str:
    """Grounding DINO reads "red cat." in lower case, each label ended by a full stop."""
    return f"{noun.lower().rstrip('.')}."


def _caption(noun: str) -> str:
    """The OWL models were taught with captions."""
    return f"a photo of {'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _plain(noun: str) -> str:
    return noun


_DINO = ("GroundingDinoProcessor", "4.40", _label, "IDEA-Research/grounding-dino-base (Apache-2.0)")
_MM_DINO = ("GroundingDinoProcessor", "4.55", _label, "openmmlab-community/mm_grounding_dino_large_all (Apache-2.0)")
_SAM3 = Architecture("SAM3", "Sam3Model", "Sam3Processor", "5.0", _plain, "facebook/sam3 (SAM License)")
ARCHITECTURES = {
    "grounding-dino": Architecture("Grounding DINO", "GroundingDinoForObjectDetection", *_DINO),
    "mm-grounding-dino": Architecture("MM Grounding DINO or LLMDet", "MMGroundingDinoForObjectDetection", *_MM_DINO),
    "owlv2": Architecture(
        *("OWLv2", "Owlv2ForObjectDetection", "Owlv2Processor", "4.35", _caption),
        "google/owlv2-base-patch16-ensemble (Apache-2.0)",
    ),
    "owlvit": Architecture(
        *("OWL-ViT", "OwlViTForObjectDetection", "OwlViTProcessor", "4.22", _caption),
        "google/owlvit-base-patch32 (Apache-2.0)",
    ),
    "omdet-turbo": Architecture(
        *("OmDet-Turbo", "OmDetTurboForObjectDetection", "OmDetTurboProcessor", "4.45", _plain),
        "omlab/omdet-turbo-swin-tiny-hf (Apache-2.0)",
    ),
    "sam3": _SAM3,
    "sam3_video": _SAM3,  # how facebook/sam3 is published: the detector is a part of it
}
"""`model_type` in config.json -> what it is."""


def register_detector_folder() -> None:
    """Tell ComfyUI about models/headcount_detectors; folders of extra_model_paths.yaml stay first."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


def detector_names() -> list[str]:
    """Names for the list: folders with a config.json, also those of one folder per author. Never empty."""
    found = {
        file.parent.relative_to(base).as_posix()
        for base in map(Path, folder_paths.get_folder_paths(FOLDER))
        for pattern in ("*/config.json", "*/*/config.json")
        for file in base.glob(pattern)
    }
    return sorted(found) or [NO_FOLDER]


def detector_path(name: str) -> Path:
    """The folder that a name of the list stands for.

    Raises:
        CountError: there is none.
    """
    for base in map(Path, folder_paths.get_folder_paths(FOLDER)):
        if isinstance(name, str) and (base / name / "config.json").is_file() and ".." not in Path(name).parts:
            return base / name
    examples = ", ".join(dict.fromkeys(architecture.example for architecture in ARCHITECTURES.values()))
    raise CountError(
        f"there is no detector {name!r} in {' or '.join(folder_paths.get_folder_paths(FOLDER))}. Download all files of one, "
        f"such as {examples}, into a folder of its own there, press R in the page and choose it"
    )


def detector_state(name: str) -> str:
    """Changes when the folder's files do, so that ComfyUI reads it again."""
    try:
        files = sorted(detector_path(name).iterdir())
    except CountError:
        return ""
    return " ".join(f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in files)


@dataclass(frozen=True)
class ReadDetector:
    """A detector as `transformers` made it, on the CPU in its file's precision."""

    architecture: Architecture
    kind: str
    model: Any
    processor: Any


def read_detector(path: Path) -> ReadDetector:
    """Read a folder as `save_pretrained` writes it: safetensors only, nothing from the network, no code of the folder.

    Raises:
        CountError: it is no detector that is known, this `transformers` is too old, or a file is missing or damaged.
    """
    kind = _kind_of(path)
    architecture = ARCHITECTURES[kind]
    import transformers

    model_class, processor_class = (
        getattr(transformers, name, None) for name in (architecture.model, architecture.processor)
    )
    if model_class is None or processor_class is None:
        raise CountError(
            f"{path.name} is of kind {architecture.name}, which needs transformers {architecture.since} or newer; installed is "
            f"{transformers.__version__}. Update it in ComfyUI's Python"
        )
    if not any(path.glob("*.safetensors")):
        raise CountError(
            f"{path.name} has no .safetensors file; other files of weights can run programs and are not read. Use a version "
            "of the model with model.safetensors"
        )
    try:
        processor = processor_class.from_pretrained(path, local_files_only=True)
        model, told = model_class.from_pretrained(
            path, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # a damaged file, a missing one and a missing package each have a class of their own
        why = " ".join((str(error) or type(error).__name__).split())[:300]
        raise CountError(
            f"{path.name} cannot be read as {architecture.name}: {why}. Download all of its files again, such as those of "
            f"{architecture.example}"
        ) from error
    if told["missing_keys"] or told["mismatched_keys"]:
        lacking = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))
        raise CountError(
            f"{path.name} lacks {len(lacking)} weights of {architecture.name}, such as {lacking[0]}. Download it again"
        )
    return ReadDetector(architecture, kind, model.eval().requires_grad_(False), processor)


def _kind_of(path: Path) -> str:
    """`model_type` of config.json."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        kind, elsewhere = config["model_type"], config.get("backbone") and not config.get("backbone_config")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CountError(f"config.json of {path.name} names no model_type. Download it again") from error
    if kind not in ARCHITECTURES:
        known = ", ".join(dict.fromkeys(architecture.name for architecture in ARCHITECTURES.values()))
        raise CountError(f"{path.name} is a model of type {kind!r}, which is not a detector known here: {known}")
    if elsewhere and kind != "omdet-turbo":  # transformers would look for it on Hugging Face; OmDet-Turbo's is timm's
        raise CountError(
            f"config.json of {path.name} names a backbone that is not in the folder, {config['backbone']!r}, and nothing is "
            f"downloaded. Use a version of the model with a backbone_config, such as {ARCHITECTURES[kind].example}"
        )
    return str(kind)


register_detector_folder()  # ComfyUI lists its files before any node runs
