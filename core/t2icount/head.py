"""The counter head: features of the last decoder stage to a density map."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from .config import CounterConfig
from .decoder import Attention


class CounterHead(nn.Module):
    """Two self-attention blocks and a stack of convolutions; the last ReLU keeps the density at 0 or more."""

    def __init__(self, config: CounterConfig) -> None:
        super().__init__()
        width = config.stages[-1]
        self.img_pe_transform1, self.img_pe_transform2 = (
            nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in range(2)
        )
        self.self_attn1, self.self_attn2 = (Attention(width, config.heads) for _ in range(2))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.conv = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.reg_head = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, config.middle, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(config.middle, 1, 1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, g, g) to (B, 1, g, g), `config.density_scale` times the objects in each cell."""
        x = _attended(x, self.img_pe_transform1(x), self.self_attn1, self.norm1)
        x = self.conv(x)
        x = _attended(x, self.img_pe_transform2(x), self.self_attn2, self.norm2)
        density: Tensor = self.reg_head(x)
        return density


def _attended(x: Tensor, places: Tensor, attention: nn.Module, norm: nn.Module) -> Tensor:
    pixels, where = (rearrange(part, "b c h w -> b (h w) c") for part in (x, places))
    query = pixels + where
    attended: Tensor = norm(pixels + attention(query, query, pixels))
    return rearrange(attended, "b (h w) c -> b c h w", h=x.shape[2])
