"""Nouns and attributes among the tokens of ComfyUI's own tokenizers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.text_encoders.anima
import comfy.text_encoders.aura_t5
import comfy.text_encoders.flux
import comfy.text_encoders.hidream
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.hunyuan_video
import comfy.text_encoders.hydit
import comfy.text_encoders.krea2
import comfy.text_encoders.lt
import comfy.text_encoders.lumina2
import comfy.text_encoders.mage_flow
import comfy.text_encoders.minimax
import comfy.text_encoders.newbie
import comfy.text_encoders.omnigen2
import comfy.text_encoders.pixart_t5
import comfy.text_encoders.qwen_image
import comfy.text_encoders.sd2_clip
import comfy.text_encoders.sd3_clip
import comfy.text_encoders.wan
import comfy.text_encoders.z_image
import pytest
import torch
from headcount.bridge.families.table import RECORDED_FAMILIES
from headcount.bridge.families.unet import UNET
from headcount.bridge.prompts.token_alignment import align
from headcount.bridge.prompts.token_characters import TokenCharacter
from headcount.bridge.prompts.token_positions import count_prompt, locate_objects, prompt_without_weights
from headcount.core.errors import CountError
from headcount.core.prompts import Counts, ObjectTokens, context_positions, find_objects
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from ..helpers.pieces import pieces_model

te = comfy.text_encoders
SHIPPED: dict[str, Callable[..., Any]] = {
    "sd15": comfy.sd1_clip.SD1Tokenizer,
    "sd21": te.sd2_clip.SD2Tokenizer,
    "sdxl": comfy.sdxl_clip.SDXLTokenizer,
    "sd3": te.sd3_clip.SD3Tokenizer,
    "flux": te.flux.FluxTokenizer,
    "klein_4b": te.flux.KleinTokenizer,
    "klein_9b": te.flux.KleinTokenizer8B,
    "hidream": te.hidream.HiDreamTokenizer,
    "aura": te.aura_t5.AuraT5Tokenizer,
    "qwen_image": te.qwen_image.QwenImageTokenizer,
    "hunyuan_image": te.hunyuan_image.HunyuanImageTokenizer,
    "anima": te.anima.AnimaTokenizer,
    "krea_2": te.krea2.Krea2Tokenizer,
    "mage_flow": te.mage_flow.MageFlowTokenizer,
    "minimax_h3": te.minimax.MiniMaxH3Tokenizer,
    "hunyuan_video": te.hunyuan_video.HunyuanVideoTokenizer,
    "z_image": te.z_image.ZImageTokenizer,
    "omnigen2": te.omnigen2.Omnigen2Tokenizer,
}
if find_spec("comfy.text_encoders.qwen_image21"):  # ComfyUI 0.37 and newer
    qwen_image21 = import_module("comfy.text_encoders.qwen_image21")
    SHIPPED["qwen_image_21"] = qwen_image21.QwenImage21Tokenizer
FROM_CHECKPOINT = ("wan", "lumina2", "newbie", "hunyuan_dit")
SENTENCES = [
    "two red cats and three teddy bears on a table",
    "A photo of a hot air balloon, four striped Balloons!",
    "one robot and two café owners describe the image",
    "five knights in the rain; the knights ride",
]


class Clip:
    """The two parts of a CLIP that are asked for."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def tokenize(self, text: str) -> Any:
        return self.tokenizer.tokenize_with_weights(text)


@pytest.fixture(scope="session")
def clips() -> dict[str, Clip]:
    with pytest.MonkeyPatch.context() as patch:
        # transformers 5 reads Llama 3's tokenizer.json with the class of Llama 2, which drops the spaces between words.
        patch.setattr(te.hunyuan_video, "LlamaTokenizerFast", PreTrainedTokenizerFast)
        built = {name: Clip(tokenizer()) for name, tokenizer in SHIPPED.items()}
    model = torch.tensor(list(pieces_model(SENTENCES)), dtype=torch.uint8)
    built["wan"] = Clip(te.wan.WanT5Tokenizer(tokenizer_data={"spiece_model": model}))
    built["lumina2"] = Clip(te.lumina2.LuminaTokenizer(tokenizer_data={"spiece_model": model}))
    pieces = {f"{encoder}_spiece_model": model for encoder in ("gemma", "jina")}
    built["newbie"] = Clip(te.newbie.NewBieTokenizer(tokenizer_data=pieces))
    built["ltx_2"] = Clip(te.lt.LTXAVGemmaTokenizer(tokenizer_data={"spiece_model": model}))
    built["hunyuan_dit"] = Clip(te.hydit.HyditTokenizer(tokenizer_data={"mt5xl.spiece_model": model}))
    return built


def encoder_of(clip: Clip, key: str) -> Any:
    return getattr(clip.tokenizer, f"clip_{key}", None) or getattr(clip.tokenizer, key)


def spell(clip: Clip, tokens: Any, key: str, positions: tuple[int, ...]) -> str:
    """What the tokens at some positions say by the tokenizer's own decoder, without spaces."""
    encoder = encoder_of(clip, key)
    flat = [entry[0] for chunk in tokens[key] for entry in chunk]
    decode = getattr(encoder.tokenizer, "decode", None) or encoder.tokenizer.tokenizer.decode
    return "".join(decode([flat[position] for position in positions]).lower().split())


def nouns(counts: Counts, key: str) -> list[tuple[int, ...]]:
    return [item.noun for item in counts.tokens[key]]


# prompt -> positions of (noun, attributes), read off the token lists by hand
CLIP_TABLE: list[tuple[str, list[ObjectTokens]]] = [
    ("two red cats and a dog", [ObjectTokens((3,), ((2,),)), ObjectTokens((6,))]),
    ("(two:1.3) ((red) (cats:0.8)), a DOG.", [ObjectTokens((3,), ((2,),)), ObjectTokens((6,))]),
    ("three hot air balloons", [ObjectTokens((2, 3, 4))]),
    (r"two cats \(happy\), one dog", [ObjectTokens((2,)), ObjectTokens((7,))]),
    ("a cat BREAK two dogs, the cat", [ObjectTokens((2, 8)), ObjectTokens((5,))]),
    ("two crêpes", [ObjectTokens((2, 3, 4))]),
]
T5_TABLE: list[tuple[str, list[ObjectTokens]]] = [
    ("two red cats and a dog", [ObjectTokens((2,), ((1,),)), ObjectTokens((6,))]),
    ("three hot air balloons", [ObjectTokens((1, 2, 3, 4))]),
    ("two teddy-bears", [ObjectTokens((2, 3, 4, 5, 6, 7, 8))]),
    ("two (cats:1.2)", [ObjectTokens((1,))]),
    ("one 猫 and two dogs", [ObjectTokens((5,))]),  # a number and its noun are of one language
]
QWEN_START = 34  # tokens of the Qwen-Image template before the prompt
QWEN_TABLE: list[tuple[str, list[ObjectTokens]]] = [
    ("two red cats and a dog", [ObjectTokens((2,), ((1,),)), ObjectTokens((5,))]),
    ("a shape, two objects", [ObjectTokens((1,)), ObjectTokens((4,))]),
    ("two (cats:1.2)", [ObjectTokens((2,))]),
]


@pytest.mark.parametrize(("prompt", "expected"), CLIP_TABLE)
@pytest.mark.parametrize(("family", "key"), [("sd15", "l"), ("sd21", "h"), ("sdxl", "l"), ("sdxl", "g"), ("flux", "l")])
def test_clip_table(clips: dict[str, Clip], family: str, key: str, prompt: str, expected: list[ObjectTokens]) -> None:
    _, counts = count_prompt(clips[family], prompt)
    assert list(counts.tokens[key]) == expected
    assert counts.lengths[key] == 77


@pytest.mark.parametrize(("prompt", "expected"), T5_TABLE)
@pytest.mark.parametrize(("family", "length"), [("sd3", 77), ("flux", 256), ("hidream", 128)])
def test_t5_table(clips: dict[str, Clip], family: str, length: int, prompt: str, expected: list[ObjectTokens]) -> None:
    clip = clips[family]
    text = prompt_without_weights(prompt)
    tokens = {"t5xxl": clip.tokenize(prompt)["t5xxl"]}
    counts = locate_objects(tokens, clip.tokenizer, text, find_objects(text))
    assert list(counts.tokens["t5xxl"]) == expected
    assert counts.lengths == {"t5xxl": length}


@pytest.mark.parametrize(("prompt", "expected"), QWEN_TABLE)
def test_qwen_table(clips: dict[str, Clip], prompt: str, expected: list[ObjectTokens]) -> None:
    _, counts = count_prompt(clips["qwen_image"], prompt)
    shifted = [
        ObjectTokens(
            tuple(QWEN_START + place for place in item.noun),
            tuple(tuple(QWEN_START + place for place in places) for places in item.attributes),
        )
        for item in expected
    ]
    assert list(counts.tokens["qwen25_7b"]) == shifted


LLAMA_START = 95  # tokens of the HunyuanVideo template before the prompt, which names objects and colors itself


def test_llama_points_behind_its_template(clips: dict[str, Clip]) -> None:
    tokens, counts = count_prompt(clips["hunyuan_video"], "two objects and a color chart")
    assert nouns(counts, "llama") == [(LLAMA_START + 1,), (LLAMA_START + 4, LLAMA_START + 5)]
    assert nouns(counts, "l") == [(2,), (5, 6)]
    assert counts.lengths == {"l": 77, "llama": len(tokens["llama"][0])}


def test_tokens_that_span_two_words_count_for_both() -> None:
    """What transformers 5 makes of Llama's tokens: still the noun's own, never the template's."""
    clip = Clip(te.hunyuan_video.HunyuanVideoTokenizer())
    tokens, counts = count_prompt(clip, "one object and a hot air balloon")
    first, second = (spell(clip, tokens, "llama", item.noun) for item in counts.tokens["llama"])
    assert "object" in first
    assert "hotairballoon" in second
    assert len(second) <= len("andahotairballoon")


@pytest.mark.parametrize("family", [*SHIPPED, *FROM_CHECKPOINT])
@pytest.mark.parametrize("prompt", SENTENCES)
def test_every_tokenizer_spells_the_nouns(clips: dict[str, Clip], family: str, prompt: str) -> None:
    clip = clips[family]
    tokens, counts = count_prompt(clip, prompt)
    assert set(counts.tokens) == set(counts.lengths) == set(tokens)
    for key, items in counts.tokens.items():
        assert counts.lengths[key] == sum(len(chunk) for chunk in tokens[key])
        for item, found in zip(counts.objects, items, strict=True):
            times = len(next(spans for spans in find_objects(prompt) if spans.item == item).nouns)
            expected = "".join(item.noun.split()) * times
            assert spell(clip, tokens, key, found.noun) in {expected, expected.replace("é", "e")}
            for name, places in zip(item.attributes, found.attributes, strict=True):
                assert name in spell(clip, tokens, key, places)


OTHER_LANGUAGES = {
    "三只黑猫和两只狗在草地上": ("黑猫", "狗"),
    "三隻黑貓和兩隻狗在草地上": ("黑貓", "狗"),
    "three_kittens, wicker_basket, 2dogs": ("kittens", "dogs"),
    "公園に3匹の猫と女の子が2人": ("猫", "女の子"),
    "고양이 세 마리와 두 명의 소녀": ("고양이", "소녀"),
    "drei Katzen und zwei Mädchen im Schnee": ("katzen", "mädchen"),
    "trois chats et deux éléphants": ("chats", "éléphants"),
    "три кошки и две собаки": ("кошки", "собаки"),
    "two \u200bca\u00adts and three dogs": ("cats", "dogs"),
}


@pytest.mark.parametrize("family", [*SHIPPED, *FROM_CHECKPOINT])
@pytest.mark.parametrize("prompt", OTHER_LANGUAGES)
def test_every_tokenizer_has_nouns_of_every_script(clips: dict[str, Clip], family: str, prompt: str) -> None:
    """At tokens that spell them, or that the vocabulary has no piece for; no two nouns at all the same tokens otherwise."""
    clip = clips[family]
    tokens, counts = count_prompt(clip, prompt)
    assert tuple(item.noun for item in counts.objects) == OTHER_LANGUAGES[prompt]
    for key, items in counts.tokens.items():
        for item, found in zip(counts.objects, items, strict=True):
            spelled = spell(clip, tokens, key, found.noun)
            assert found.noun
            known = spelled.replace("<unk>", "\N{REPLACEMENT CHARACTER}")
            assert "\N{REPLACEMENT CHARACTER}" in known or plain(item.noun) in plain(known)
            assert len(known) <= len(item.noun) + 8


def plain(text: str) -> str:
    """Without case, accents and soft hyphens, as some tokenizers write it."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter) not in {"Mn", "Cf"})


def test_several_chunks_count_on(clips: dict[str, Clip]) -> None:
    prompt = "two cats, " + "very good light, " * 30 + "three dogs"
    tokens, counts = count_prompt(clips["sdxl"], prompt)
    assert len(tokens["l"]) == 2
    assert counts.lengths == {"l": 154, "g": 154}
    (cats,), (dogs,) = nouns(counts, "l")
    assert cats == 2
    assert dogs > 77
    assert tokens["l"][1][dogs - 77][0] == clips["sdxl"].tokenizer.clip_l.tokenizer("dogs")["input_ids"][1]
    layout = UNET.text_layout(counts, {"cross_attn": torch.zeros(1, 154, 8)})
    assert context_positions(counts, layout) == counts.tokens["l"] == counts.tokens["g"]


def test_embeddings_take_positions_and_have_no_words(tmp_path: Path) -> None:
    save_file({"clip_l": torch.zeros(3, 768), "clip_g": torch.zeros(3, 1280)}, tmp_path / "two_cats.safetensors")
    save_file({"emb_params": torch.zeros(2, 768)}, tmp_path / "style.safetensors")
    clip = Clip(comfy.sd1_clip.SD1Tokenizer(embedding_directory=str(tmp_path)))
    tokens, counts = count_prompt(clip, "embedding:style two dogs, embedding:two_cats a bird")
    assert isinstance(tokens["l"][0][1][0], torch.Tensor)
    assert [item.noun for item in counts.objects] == ["dogs", "bird"]
    assert nouns(counts, "l") == [(4,), (10,)]
    plain = count_prompt(Clip(comfy.sd1_clip.SD1Tokenizer()), "embedding:nothing two dogs")[1]
    assert [item.noun for item in plain.objects] == ["dogs"]


def test_embedding_that_only_one_encoder_knows_is_refused_for_unets(tmp_path: Path) -> None:
    save_file({"clip_g": torch.zeros(4, 1280), "clip_l": torch.zeros(1, 768)}, tmp_path / "odd.safetensors")
    clip = Clip(comfy.sdxl_clip.SDXLTokenizer(embedding_directory=str(tmp_path)))
    _, counts = count_prompt(clip, "a photo, embedding:odd two dogs")
    with pytest.raises(CountError, match="have 'dogs' at"):
        UNET.text_layout(counts, {"cross_attn": torch.zeros(1, 77, 8)})


def test_noun_that_an_encoder_cut_off_is_named(clips: dict[str, Clip]) -> None:
    """HiDream keeps only the first 128 tokens of T5."""
    prompt = "two cats, " + "wonderful marvellous lighting, " * 30 + "three dogs"
    with pytest.raises(CountError, match=r"^'dogs' is not among the tokens of text encoder 't5xxl'; it has: cats"):
        count_prompt(clips["hidream"], prompt)


class IdEncoder:
    """In place of a text encoder's network: a token's features are its id, so that one can see where it ends up."""

    def __init__(self, width: int, layers: int = 0, masks: bool = False, padding: int = -1) -> None:
        self._width = width
        self._layers = layers
        self._masks = masks
        self._padding = padding

    def encode_token_weights(self, pairs: Any) -> tuple[Any, ...]:
        ids = torch.tensor([float(entry[0]) for chunk in pairs for entry in chunk])
        features = ids.view(1, -1, 1).expand(1, -1, self._width)
        if self._layers:
            features = features.unsqueeze(1).expand(-1, self._layers, -1, -1)
        masks = ({"attention_mask": (ids != self._padding).long()[None]},) if self._masks else ()
        return features, torch.zeros(1, self._width), *masks


def text_model(kind: type, **parts: Any) -> Any:
    """ComfyUI's own text encoder, which puts its networks' features together, without the networks."""
    model = kind.__new__(kind)
    torch.nn.Module.__init__(model)
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def one_network(kind: type, name: str) -> Any:
    return text_model(kind, clip_name=name, clip=f"clip_{name}", **{f"clip_{name}": IdEncoder(8, masks=True)})


def three_layers(name: str) -> Any:
    """Flux 2's text encoder, which lays the features of three of its network's layers side by side."""
    part = IdEncoder(8, layers=3, masks=True)
    return text_model(te.flux.Flux2TEModel, clip_name=name, clip=f"clip_{name}", **{f"clip_{name}": part})


def ltx_2() -> Any:
    """LTX-2's text encoder, which puts the features of all layers together."""
    parts = {"text_projection_type": "dual_linear", "execution_device": torch.device("cpu"), "compat_mode": False}
    network = IdEncoder(8, layers=2, masks=True, padding=0)
    return text_model(te.lt.LTXAVTEModel, gemma3_12b=network, text_embedding_projection=lambda x: x[:, 0], **parts)


def krea_2() -> Any:
    network = IdEncoder(8, layers=3, masks=True)
    return text_model(te.krea2.Krea2TEModel, clip_name="qwen3vl_4b", clip="clip_q", clip_q=network)


def mage_flow() -> Any:
    network = IdEncoder(8, masks=True)
    return text_model(te.mage_flow.MageFlowTEModel, clip_name="qwen3vl_4b", clip="clip_q", clip_q=network)


def qwen_21() -> Any:
    network = IdEncoder(8, masks=True)
    network.image_spans = []  # of pictures among the tokens
    return text_model(qwen_image21.QwenImage21TEModel, clip_name="qwen3vl_8b", clip="clip_q", clip_q=network)


def minimax_h3() -> Any:
    return one_network(te.minimax.MiniMaxH3TEModel, "qwen3vl_32b")


L, G, T5 = IdEncoder(768), IdEncoder(1280), IdEncoder(4096)
ENCODERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "sd15": ("Stable Diffusion 1.5", lambda: one_network(comfy.sd1_clip.SD1ClipModel, "l")),
    "sd21": ("Stable Diffusion 1.5", lambda: one_network(te.sd2_clip.SD2ClipModel, "h")),
    "sdxl": ("Stable Diffusion 1.5", lambda: text_model(comfy.sdxl_clip.SDXLClipModel, clip_l=L, clip_g=G)),
    "sd3": (
        "Stable Diffusion 3",
        lambda: text_model(te.sd3_clip.SD3ClipModel, clip_l=L, clip_g=G, t5xxl=T5, t5_attention_mask=False),
    ),
    "sd3 without T5": (
        "Stable Diffusion 3",
        lambda: text_model(te.sd3_clip.SD3ClipModel, clip_l=L, clip_g=G, t5xxl=None),
    ),
    "sd3 without CLIP": (
        "Stable Diffusion 3",
        lambda: text_model(te.sd3_clip.SD3ClipModel, clip_l=None, clip_g=None, t5xxl=T5, t5_attention_mask=False),
    ),
    "sd3 without CLIP-L": (
        "Stable Diffusion 3",
        lambda: text_model(te.sd3_clip.SD3ClipModel, clip_l=None, clip_g=G, t5xxl=T5, t5_attention_mask=False),
    ),
    "flux": ("Flux", lambda: text_model(te.flux.FluxClipModel, clip_l=L, t5xxl=T5)),
    "klein_4b": ("Flux", lambda: three_layers("qwen3_4b")),
    "klein_9b": ("Flux", lambda: three_layers("qwen3_8b")),
    "pixart": ("PixArt", lambda: one_network(te.pixart_t5.PixArtT5XXL, "t5xxl")),
    "chroma": ("Chroma", lambda: one_network(te.pixart_t5.PixArtT5XXL, "t5xxl")),
    "qwen_image": ("Qwen-Image", lambda: one_network(te.qwen_image.QwenImageTEModel, "qwen25_7b")),
    "lumina2": ("Lumina 2", lambda: one_network(te.lumina2.LuminaModel, "gemma2_2b")),
    "newbie": (
        "Lumina 2",
        lambda: text_model(te.newbie.NewBieTEModel, gemma=IdEncoder(8, masks=True), jina=IdEncoder(8, masks=True)),
    ),
    "z_image": ("Lumina 2", lambda: one_network(te.z_image.ZImageTEModel, "qwen3_4b")),
    "ltx_2": ("LTX", ltx_2),
    "krea_2": ("Krea 2", krea_2),
    "mage_flow": ("Mage-Flow", mage_flow),
    "anima": ("Anima", lambda: one_network(te.anima.AnimaTEModel, "qwen3_06b")),
    "minimax_h3": ("MiniMax H3", minimax_h3),
    "hidream": (
        "HiDream",
        lambda: text_model(te.hidream.HiDreamTEModel, clip_l=L, clip_g=G, t5xxl=T5, llama=IdEncoder(4096, 33)),
    ),
    "hidream without T5": (
        "HiDream",
        lambda: text_model(te.hidream.HiDreamTEModel, clip_l=L, clip_g=G, t5xxl=None, llama=IdEncoder(4096, 33)),
    ),
}
if "qwen_image_21" in SHIPPED:
    ENCODERS["qwen_image_21"] = ("Qwen-Image 2.1", lambda: qwen_21())
TOKENIZERS = {"pixart": te.pixart_t5.PixArtTokenizer, "chroma": te.pixart_t5.PixArtTokenizer}


def as_the_model_reads_it(name: str, encoded: tuple[Any, ...]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The conditioning, and one number per token of the text in the order of the model's attention."""
    text, extra = encoded[0], encoded[2] if len(encoded) > 2 else {}
    conditioning = {"cross_attn": text, **extra}
    if name == "anima":  # the model reads T5's words, filled up
        ids = extra["t5xxl_ids"].float()
        return conditioning, torch.nn.functional.pad(ids, (0, 512 - len(ids)))
    if name == "ltx_2":  # the model fills its text up
        return conditioning, torch.nn.functional.pad(text[0, :, 0], (0, 1024 - text.shape[1]))
    if not name.startswith("hidream"):
        # CLIP-G's features stand behind room for those of a missing CLIP-L.
        return conditioning, text[0].amax(-1)
    llama = extra["conditioning_llama3"]
    return conditioning, torch.cat([text[0, :, 0], llama[0, -1, :, 0], llama[0, 3, :, 0]])


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("prompt", SENTENCES)
def test_nouns_are_where_the_family_says(clips: dict[str, Clip], name: str, prompt: str) -> None:
    """From the prompt to the model's context, through ComfyUI's own tokenizers and text encoders."""
    start, encoder = ENCODERS[name]
    family = next(one for one in RECORDED_FAMILIES if one.name.startswith(start))
    clip = Clip(TOKENIZERS[name]()) if name in TOKENIZERS else clips[name.split()[0]]
    tokens, counts = count_prompt(clip, prompt)
    conditioning, ids = as_the_model_reads_it(name, encoder().encode_token_weights(tokens))
    layout = family.text_layout(counts, conditioning)
    assert layout.length == len(ids) == layout.own
    for stretch in layout.stretches:
        found = context_positions(counts, replace(layout, stretches=(stretch,)))
        for item, own in zip(counts.tokens[stretch.encoder], found, strict=True):
            read = [entry[0] for chunk in tokens[stretch.encoder] for entry in chunk]
            flat = read[len(read) - counts.lengths[stretch.encoder] :]
            assert [int(ids[place]) for place in own.noun] == [flat[place] for place in item.noun]
            for mine, attribute in zip(own.attributes, item.attributes, strict=True):
                assert [int(ids[place]) for place in mine] == [flat[place] for place in attribute]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("sdxl", 1),
        ("sd3", 2),
        ("sd3 without T5", 1),
        ("sd3 without CLIP", 1),
        ("flux", 1),
        ("hidream", 3),
        ("hidream without T5", 2),
    ],
)
def test_how_often_the_model_reads_a_noun(clips: dict[str, Clip], name: str, places: int) -> None:
    start, encoder = ENCODERS[name]
    family = next(one for one in RECORDED_FAMILIES if one.name.startswith(start))
    tokens, counts = count_prompt(clips[name.split()[0]], "two cats")
    conditioning, _ = as_the_model_reads_it(name, encoder().encode_token_weights(tokens))
    (found,) = context_positions(counts, family.text_layout(counts, conditioning))
    assert len(found.noun) == places


def test_left_padding_moves_the_positions() -> None:
    class LeftPadded(comfy.sd1_clip.SDTokenizer):
        def __init__(self, **options: Any) -> None:
            super().__init__(pad_left=True, min_length=40, pad_to_max_length=False, **options)

    _, counts = count_prompt(Clip(comfy.sd1_clip.SD1Tokenizer(tokenizer=LeftPadded)), "two cats")
    assert counts.lengths == {"l": 40}
    assert nouns(counts, "l") == [(38,)]


def test_objects_line_locates_words_without_a_number(clips: dict[str, Clip]) -> None:
    _, counts = count_prompt(clips["sd15"], "cats near a dog", "3 cats")
    assert counts.total == 3
    assert nouns(counts, "l") == [(1,)]


def test_nothing_counted(clips: dict[str, Clip]) -> None:
    _, counts = count_prompt(clips["flux"], "")
    assert counts == Counts("", (), {"l": (), "t5xxl": ()}, {"l": 77, "t5xxl": 256})


def test_lettering_encoder_is_left_out(clips: dict[str, Clip]) -> None:
    """HunyuanImage's ByT5 reads quoted lettering only."""
    tokens, counts = count_prompt(clips["hunyuan_image"], 'two signs that say "cats"')
    assert set(tokens) == {"qwen25_7b", "byt5"}
    assert set(counts.tokens) == {"qwen25_7b"}


def test_unknown_tokenizer_is_named() -> None:
    tokenizer = SimpleNamespace(tokenize_with_weights=lambda text: {"odd": [[(1, 1.0)]]})
    with pytest.raises(CountError, match="text encoder 'odd' of SimpleNamespace is not supported"):
        count_prompt(Clip(tokenizer), "two cats")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(two:1.3) ((red) cats)", "two red cats"), (r"cats \(old\)", "cats (old)"), ("(a (b:1.2)", "a (b"), ("", "")],
)
def test_weight_syntax(text: str, expected: str) -> None:
    assert prompt_without_weights(text) == expected


_NOUNS = st.sampled_from(["cats", "teddy bears", "hot air balloons", "Zebras", "crêpes", "x-rays", "knights"])
_ITEMS = st.lists(
    st.tuples(
        st.sampled_from(["two", "3", "(four:1.4)", "twenty-five"]),
        st.sampled_from(["", "red ", "(striped:1.2) ", "shiny "]),
        _NOUNS,
        st.sampled_from(["{}", "({}:0.7)", "(({}))"]),
        st.sampled_from([", ", " and ", " \\(photo\\), ", ",\n", " BREAK "]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda item: item[2],
)


@given(_ITEMS, st.sampled_from(["sdxl", "sd3", "aura", "qwen_image", "omnigen2", "wan", "lumina2"]), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_pieces_spell_the_noun(clips: dict[str, Clip], items: Any, family: str, padding: int) -> None:
    text = "".join(f"{count} {adjective}{form.format(noun)}{joint}" for count, adjective, noun, form, joint in items)
    text = "soft light, " * padding + text
    tokens, counts = count_prompt(clips[family], text)
    assert [item.noun for item in counts.objects] == [noun.lower() for _, _, noun, _, _ in items]
    for key, found in counts.tokens.items():
        for item, places in zip(counts.objects, found, strict=True):
            assert spell(clips[family], tokens, key, places.noun) == "".join(item.noun.split())
            assert [spell(clips[family], tokens, key, at).strip("():") for at in places.attributes] == list(
                item.attributes
            )


def words_of(prompt: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\w+", prompt)]


def letters(prompt: str, lost: Callable[[int], bool] = lambda _: False) -> list[TokenCharacter]:
    """What a tokenizer of single letters makes of a prompt; some are lost on the way."""
    return [TokenCharacter(one, (at,)) for at, one in enumerate(prompt) if not one.isspace() and not lost(at)]


PROSE = " ".join(f"{number} small bird{number * 7919} near a pond," for number in range(900))


class TestLongPrompts:
    """A prompt of any length is aligned, in a time that grows with its length."""

    @pytest.mark.parametrize("prompt", [PROSE, "cat dog " * 3_000])
    def test_every_word_is_where_its_tokens_are(self, prompt: str) -> None:
        assert len(prompt) > 20_000
        found = align(prompt, letters(prompt))
        assert all(found.positions(span) == set(range(*span)) for span in words_of(prompt))

    def test_what_the_tokenizer_lost_costs_no_other_word(self) -> None:
        holes = [(900, 905), (7_000, 12_000), (19_990, 20_000)]

        def is_lost(at: int) -> bool:
            return any(start <= at < end for start, end in holes)

        found = align(PROSE, letters(PROSE, is_lost))
        for span in words_of(PROSE):
            whole = not any(is_lost(at) for at in range(*span))
            assert found.positions(span) == (set(range(*span)) if whole else set())

    def test_long_and_short_are_compared_alike(self) -> None:
        lost = {at for at in range(0, len(PROSE), 97)}
        short = PROSE[:1_500]
        one = align(short, letters(short, lost.__contains__))
        other = align(PROSE, letters(PROSE, lost.__contains__))
        assert all(one.positions(span) == other.positions(span) for span in words_of(short)[:-5])

    @pytest.mark.parametrize("prompt", [PROSE, "cat dog " * 3_000])
    def test_ten_times_the_length_takes_no_hundred_times_the_time(self, prompt: str) -> None:
        def seconds(text: str) -> float:
            start = process_time()
            found = align(text, letters(text, lambda at: at % 331 == 0))
            for span in words_of(text):
                found.positions(span)
            return process_time() - start

        short = min(seconds(prompt[:2_000]) for _ in range(3))
        assert seconds(prompt[:20_000]) < 40 * short + 0.2

    def test_cancel_ends_it(self, clips: dict[str, Clip]) -> None:
        comfy.model_management.interrupt_current_processing(True)
        try:
            with pytest.raises(comfy.model_management.InterruptProcessingException):
                count_prompt(clips["sdxl"], f"two cats, {PROSE}")
        finally:
            comfy.model_management.interrupt_current_processing(False)
