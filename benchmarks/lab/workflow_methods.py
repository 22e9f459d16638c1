"""Methods put into a workflow of a user's own, whatever loads its model: nodes of the pack before its sampler."""

from __future__ import annotations

import copy

from headcount.bridge.seed_search.settings import ALGORITHM_2
from headcount.core.errors import CountError

from demo.comfy_client import Prompt

from .node_methods import KINDS, Method

_ENCODERS = ("HeadcountCountPrompt", "CLIPTextEncode")
_CONDITIONINGS = ("positive", "conditioning")
_SAMPLER = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
_RUN = ("model", "positive", "negative", "latent_image", *_SAMPLER)


def with_method(workflow: Prompt, place: tuple[str, str], method: Method) -> Prompt:
    """A copy of a workflow that has a method's nodes, with plain text encoding of its prompt made Count Prompt.

    A node that steers or guides stands before every node that takes a model and a positive conditioning, such as KSampler or
    CFGGuider. A node that chooses the noise takes the inputs of the one KSampler; where it finishes the latent itself
    (Algorithm 2), it takes the sampler's place.

    Args:
        workflow: in the API format.
        place: (node, input) of the prompt.

    Raises:
        CountError: the method needs a counter, is no node, or the workflow has no place for it.
    """
    made = copy.deepcopy(workflow)
    encoder = made[place[0]]
    if encoder["class_type"] not in _ENCODERS:
        raise CountError(
            f"the prompt of the workflow goes into {encoder['class_type']}. Encode it with Count Prompt or CLIP Text Encode"
        )
    if encoder["class_type"] == "CLIPTextEncode":
        encoder["class_type"] = _ENCODERS[0]
        encoder["inputs"]["objects"] = ""
    for name, settings in method.parts.items():
        kind = KINDS[name]
        node_id = None if kind.counts else kind.node_id
        if node_id is None:
            raise CountError(
                f"--method {method.name}: {name} is not for --workflow. Put its nodes into the workflow itself"
            )
        if kind.does == "chooses":
            _choose(made, node_id, settings)
        else:
            _steer(made, node_id, settings)
    return made


def _steer(workflow: Prompt, node_id: str, settings: dict[str, object]) -> None:
    samplers = [
        placed["inputs"]
        for placed in workflow.values()
        if isinstance(placed["inputs"].get("model"), list) and any(name in placed["inputs"] for name in _CONDITIONINGS)
    ]
    if not samplers:
        raise CountError("the workflow has no node with a model and a positive conditioning, such as KSampler")
    models = {tuple(inputs["model"]) for inputs in samplers}
    patched = {model: _add(workflow, node_id, {"model": list(model), **settings}) for model in sorted(models)}
    for inputs in samplers:
        inputs["model"] = [patched[tuple(inputs["model"])], 0]


def _choose(workflow: Prompt, node_id: str, settings: dict[str, object]) -> None:
    samplers = [node for node, placed in workflow.items() if placed["class_type"] == "KSampler"]
    if len(samplers) != 1:
        raise CountError(f"the workflow has {len(samplers)} nodes KSampler; to choose the noise it has to have one")
    (sampler,) = samplers
    inputs = workflow[sampler]["inputs"]
    chosen = _add(workflow, node_id, {**{name: inputs[name] for name in _RUN}, **settings})
    if settings.get("score") == ALGORITHM_2:
        for placed in workflow.values():
            for name, value in placed["inputs"].items():
                if value == [sampler, 0]:
                    placed["inputs"][name] = [chosen, 0]
        del workflow[sampler]
    else:
        inputs.update(latent_image=[chosen, 0], seed=[chosen, 1])


def _add(workflow: Prompt, node_id: str, inputs: dict[str, object]) -> str:
    name = f"method_{len(workflow)}"
    workflow[name] = {"class_type": node_id, "inputs": inputs, "_meta": {"title": "method"}}
    return name
