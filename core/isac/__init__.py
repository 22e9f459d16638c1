"""ISAC: steer the latent before every step, from the model's own attention, until the asked number of instances forms.

ISAC: Training-Free Instance-to-Semantic Attention Control, ECCV 2026 (arXiv 2505.20935; equations of v1 where not said
otherwise). Nothing is trained. Before each denoising step the model is asked once with a gradient:

- attention of all heads and layers is averaged to one self- and one cross-attention map (`core.attention`; eq. 3, 4, 14);
- the pixels that look at the nouns are clustered into N instances, and masks made of them (`masks`; eq. 9 to 11);
- the losses are the largest overlap of two instances and of two classes (`losses`, `words`; eq. 6, 8, 12; repel and bind of
  v4), weighed from instances to classes over the steps (`schedule`; eq. 5, Table 2 row E);
- the latent moves against their gradient (`step`; Algorithm 1). ISAC_LS (`selection`; v4's Algorithm 2) needs no gradient:
  of several seeds it keeps the one with the lowest sum of losses.

What is done otherwise, and why:

- Objective: overlap also falls when instances vanish. `anchored` asks for presence at N separate places; `objective` is the
  paper's.
- Gradient: a maximum touches one row of self-attention, so no full matrix is differentiated (`sparse_losses`), and each
  attention call gets its gradient while the model runs backward, one at a time (`differentiate`, `map_gradients`). It is the
  same gradient.
- Heads: of a joint attention only those are read that look at a noun from where it is drawn (`core.attention.localising`).
- Step: the paper's length fits one model's scale; "relative" is a share of the latent's own length (`step`).
- Selection: overlap ranks seeds hardly better than chance; "places" is the likelihood of the asked number of separate places
  in the latest step, and the worse seeds are dropped on the way (`selection`).
"""

from __future__ import annotations

from .anchored import AnchoredObjective, anchored_losses
from .differentiate import CallGradient, Objective, ObjectiveStep, PlainStep, StepLosses
from .objective import PaperObjective, paper_grid, paper_losses
from .schedule import LossWeights, instance_to_class
from .selection import (
    DECIDE_AT,
    DEFAULT_SCORE,
    SCORES,
    ScoreName,
    Stage,
    carried_score,
    place_strengths,
    places_score,
    relative_strengths,
    score_calls,
    successive_halving,
    top_k,
)
from .step import StepMode, latent_step
from .target import PromptTarget

__all__ = [
    "DECIDE_AT",
    "DEFAULT_SCORE",
    "SCORES",
    "AnchoredObjective",
    "CallGradient",
    "LossWeights",
    "Objective",
    "ObjectiveStep",
    "PaperObjective",
    "PlainStep",
    "PromptTarget",
    "ScoreName",
    "Stage",
    "StepLosses",
    "StepMode",
    "anchored_losses",
    "carried_score",
    "instance_to_class",
    "latent_step",
    "paper_grid",
    "paper_losses",
    "place_strengths",
    "places_score",
    "relative_strengths",
    "score_calls",
    "successive_halving",
    "top_k",
]
