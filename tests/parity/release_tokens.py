"""Where the released code looks for a noun among a prompt's tokens; only to compare with it."""

from __future__ import annotations

from collections.abc import Sequence


def map_tokens(
    prompt: Sequence[int], noun: str, with_space: Sequence[int], bare: Sequence[int], decoded: Sequence[str]
) -> list[int] | None:
    """Positions of the first mention of a noun.

    Args:
        prompt: token ids of the prompt.
        noun: as it stands in the prompt.
        with_space: ids of a space and the noun.
        bare: ids of the noun.
        decoded: text of each id of the prompt, decoded alone; spaces are lost there.

    Returns:
        Positions in the prompt, or None when it does not mention the noun.
    """
    for wanted in (list(with_space), list(bare)):
        for start in range(len(prompt) - len(wanted) + 1):
            if wanted and list(prompt[start : start + len(wanted)]) == wanted:
                return list(range(start, start + len(wanted)))
    start = "".join(decoded).lower().find(noun.lower())
    if start < 0:
        return None
    owners = [index for index, piece in enumerate(decoded) for _ in piece]
    return sorted(set(owners[start : start + len(noun)])) or None
