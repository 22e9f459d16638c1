"""The text encoder of the Shapes model: ComfyUI's CLIP text model, a few layers of it, with a small vocabulary.

Token ids are CLIP's own, so prompts behave as with Stable Diffusion 1.5: weights, embeddings, several chunks. Only the
embedding table is short: it has a row for each word that the scenes use, and one that all other words share.
"""

from __future__ import annotations

import comfy.clip_model
import comfy.ops
import torch
from comfy import sd1_clip
from torch import Tensor, nn

WIDTH = 128
MAX_LENGTH = 32
VOCABULARY_SIZE = 96
CLIP_CONFIG = {
    "num_hidden_layers": 3,
    "hidden_size": WIDTH,
    "num_attention_heads": 4,
    "intermediate_size": 4 * WIDTH,
    "hidden_act": "gelu",
    "max_position_embeddings": MAX_LENGTH,
    "eos_token_id": 49407,
    "vocab_size": VOCABULARY_SIZE,
}
_NO_TOKEN = 1 << 30  # no id of a tokenizer


class KnownWordsEmbedding(nn.Module):
    """Looks CLIP token ids up in a short table; row 0 stands for every id that is not in it.

    Attributes:
        ids: (rows of the table - 1,) known CLIP ids in rising order, unused places filled with a huge number.
    """

    ids: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.table = embedding
        self.register_buffer("ids", torch.full((embedding.num_embeddings - 1,), _NO_TOKEN, dtype=torch.int64))

    @property
    def weight(self) -> Tensor:
        return self.table.weight

    def forward(self, tokens: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
        ids = self.ids.to(tokens.device)  # ComfyUI leaves buffers where they are when it loads a part of a model
        row = torch.searchsorted(ids, tokens.to(ids)).clamp_max(len(ids) - 1)
        known = ids[row] == tokens
        return self.table(torch.where(known, row + 1, 0), out_dtype=out_dtype)


class ShapesTextTransformer(comfy.clip_model.CLIPTextModel):
    """ComfyUI's CLIP text model with the short embedding table."""

    def __init__(self, config_dict, dtype, device, operations):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(config_dict, dtype, device, operations)
        rows, width = config_dict["vocab_size"], config_dict["hidden_size"]
        table = operations.Embedding(rows, width, dtype=dtype, device=device)
        self.text_model.embeddings.token_embedding = KnownWordsEmbedding(table)


class ShapesClipModel(sd1_clip.SDClipModel):
    """Padding is zeroed, so that the picture looks at words rather than at padding that has read them."""

    config = CLIP_CONFIG

    def __init__(self, device="cpu", dtype=None, model_options=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(
            device=device,
            dtype=dtype,
            max_length=MAX_LENGTH,
            textmodel_json_config=dict(self.config),
            model_class=ShapesTextTransformer,
            zero_out_masked=True,
            return_projected_pooled=False,
            model_options=model_options or {},
        )


class ShapesTextEncoder(sd1_clip.SD1ClipModel):
    """What CLIP objects hold as `cond_stage_model`."""

    def __init__(self, device="cpu", dtype=None, model_options=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(
            device=device, dtype=dtype, model_options=model_options or {}, clip_name="l", clip_model=ShapesClipModel
        )


class _ShortTokenizer(sd1_clip.SDTokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(
            max_length=MAX_LENGTH,
            embedding_directory=embedding_directory,
            embedding_size=WIDTH,
            tokenizer_data=tokenizer_data or {},
        )


class ShapesTokenizer(sd1_clip.SD1Tokenizer):
    """CLIP's tokenizer in chunks of `MAX_LENGTH` tokens."""

    def __init__(self, embedding_directory=None, tokenizer_data=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(
            embedding_directory=embedding_directory, tokenizer_data=tokenizer_data or {}, tokenizer=_ShortTokenizer
        )
