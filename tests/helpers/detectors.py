"""Zero-shot detectors of `transformers`, tiny and with random weights, saved as users find them on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import BertConfig, BertTokenizer, CLIPTextConfig, CLIPTokenizer, SwinConfig

from demo.comfy_host import comfyui_folder

LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
WORDS = "[PAD] [UNK] [CLS] [SEP] . cat dog hot base ##ball bat red blue car".split()
QUERIES = 12
_SIDE = 64


def save_detector(folder: Path, kind: str) -> Path:
    """A detector of `kind`, which is its `model_type`; its tokenizer is made of words or is the one that ComfyUI brings."""
    torch.manual_seed(0)
    {"grounding-dino": _dino, "mm-grounding-dino": _dino, "omdet-turbo": _omdet, "sam3": _sam3}.get(kind, _owl)(
        folder, kind
    )
    return folder


def _clip_tokenizer(length: int) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(
        comfyui_folder() / "comfy" / "sd1_tokenizer", model_max_length=length, pad_token="!"
    )


def _owl(folder: Path, kind: str) -> None:
    name = {"owlv2": "Owlv2", "owlvit": "OwlViT"}[kind]
    text = {**LAYERS, "vocab_size": 49408, "max_position_embeddings": 16}
    vision = {**LAYERS, "image_size": _SIDE, "patch_size": 16}
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=vision, projection_dim=16)
    made = getattr(transformers, f"{name}ForObjectDetection")(config)
    with torch.no_grad():  # boxes around the patches, large enough that neighbours overlap
        made.box_head.dense2.weight.mul_(0.1)
        made.box_head.dense2.bias.copy_(torch.tensor([0.0, 0.0, 1.0, 1.0]))
    made.save_pretrained(folder)
    images = getattr(transformers, f"{name}ImageProcessor")(size={"height": _SIDE, "width": _SIDE})
    processor = getattr(transformers, f"{name}Processor")
    processor(image_processor=images, tokenizer=_clip_tokenizer(16)).save_pretrained(folder)


def _dino(folder: Path, kind: str) -> None:
    name = {"grounding-dino": "GroundingDino", "mm-grounding-dino": "MMGroundingDino"}[kind]
    (folder / "words").mkdir(parents=True)
    (folder / "words" / "vocab.txt").write_text("\n".join(WORDS))
    backbone = SwinConfig(
        image_size=_SIDE, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, out_indices=[2, 3, 4]
    )
    sides = {f"{side}_{part}": 2 for side in ("encoder", "decoder") for part in ("layers", "attention_heads")}
    config = getattr(transformers, f"{name}Config")(
        backbone_config=backbone, text_config=BertConfig(vocab_size=len(WORDS), **LAYERS), d_model=32,
        num_queries=QUERIES, encoder_ffn_dim=32, decoder_ffn_dim=32, **sides,
    )  # fmt: skip
    made = getattr(transformers, f"{name}ForObjectDetection")(config)
    with torch.no_grad():
        for head in made.bbox_embed:
            head.layers[-1].bias.copy_(torch.tensor([0.0, 0.0, 1.0, 1.0]))
    made.save_pretrained(folder)
    images = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 2 * _SIDE, "longest_edge": 3 * _SIDE})
    words = BertTokenizer.from_pretrained(folder / "words")
    transformers.GroundingDinoProcessor(image_processor=images, tokenizer=words).save_pretrained(folder)


def _omdet(folder: Path, kind: str) -> None:
    backbone = SwinConfig(
        image_size=_SIDE, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2, out_indices=[2, 3, 4]
    )
    text = CLIPTextConfig(**LAYERS, vocab_size=49408, max_position_embeddings=77, projection_dim=16)
    config = transformers.OmDetTurboConfig(
        backbone_config=backbone, text_config=text, image_size=_SIDE, text_projection_in_dim=16,
        text_projection_out_dim=16, task_encoder_hidden_dim=32, class_embed_dim=16, num_queries=QUERIES,
        vision_features_channels=[32] * 3, encoder_in_channels=[16, 32, 64],
        apply_layernorm_after_vision_backbone=False, encoder_hidden_dim=32,
        encoder_attention_heads=2, encoder_dim_feedforward=32, decoder_hidden_dim=32, decoder_num_heads=2,
        decoder_num_layers=1, decoder_dim_feedforward=32,
    )  # fmt: skip
    transformers.OmDetTurboForObjectDetection(config).save_pretrained(folder)
    images = transformers.DetrImageProcessor(
        size={"height": _SIDE, "width": _SIDE}, do_pad=False, format="coco_detection"
    )
    transformers.OmDetTurboProcessor(image_processor=images, tokenizer=_clip_tokenizer(16)).save_pretrained(folder)


def _sam3(folder: Path, kind: str) -> None:
    sides: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    vit = {"model_type": "sam3_vit_model", **sides, "num_hidden_layers": 2, "image_size": 112, "patch_size": 14,
           "window_size": 4, "global_attn_indexes": [1], "pretrain_image_size": 56}  # fmt: skip
    vision = {"backbone_config": vit, "fpn_hidden_size": 32, "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}
    text = {**LAYERS, "hidden_size": 32, "vocab_size": 49408, "max_position_embeddings": 32, "projection_dim": 32}
    config = transformers.Sam3Config(
        vision_config=vision, text_config=text, geometry_encoder_config={**sides, "num_layers": 1},
        detr_encoder_config={**sides, "num_layers": 1},
        detr_decoder_config={**sides, "num_layers": 1, "num_queries": QUERIES},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )  # fmt: skip
    transformers.Sam3Model(config).save_pretrained(folder)
    images = transformers.Sam3ImageProcessor(size={"height": 112, "width": 112})
    transformers.Sam3Processor(image_processor=images, tokenizer=_clip_tokenizer(32)).save_pretrained(folder)
