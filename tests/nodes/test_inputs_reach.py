"""Every input of every node reaches the setting that it names, and nothing else.

The bridge functions that a node calls are replaced by ones that keep what they are given. Each input in turn gets a value that
is not its default: exactly the argument, or the field of a settings object, that the input names must change with it. A widget
that is left out, and two of one type that are swapped, are seen here and by no type checker.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import pytest
from comfy_api.latest import io
from headcount.nodes import NODES

# Node -> the bridge functions that it calls, in this order; the run ends at the last one.
CALLS = {
    "HeadcountAttentionMapRecorder": ("with_recorder",),
    "HeadcountAttentionMapViewer": ("selected_objects", "view_maps"),
    "HeadcountCountCheck": ("asked_for", "check_pictures"),
    "HeadcountCountPrompt": ("encode_count_prompt",),
    "HeadcountCountRepair": ("counts_of", "repair_pictures"),
    "HeadcountCountReport": ("count_report",),
    "HeadcountCountSearch": ("search_seeds",),
    "HeadcountCountSearchCandidates": ("preview_for_pick",),
    "HeadcountCountSearchPick": ("pick",),
    "HeadcountCountsFromText": ("counts_from_text",),
    "HeadcountCountsFromTracks": ("counts_from_tracks",),
    "HeadcountDetectorCounter": ("detector_counter",),
    "HeadcountGenerateUntilRight": ("generate_until_right",),
    "HeadcountInstanceMasks": ("find_instances",),
    "HeadcountIsacAttentionControl": ("with_isac",),
    "HeadcountIsacLatentSelection": ("select_latent",),
    "HeadcountLoadDemoModel": ("load_demo_model",),
    "HeadcountLoadT2ICountModel": ("load_counter",),
    "HeadcountNuminaCountGuide": ("with_numina", "with_shared_guide"),
    "HeadcountSam3Counter": ("sam3_counter",),
    "HeadcountT2ICountCounter": ("count_in_pictures",),
}
# (Node, input) -> where it arrives under another name than its own, or in fewer places than have its name.
ELSEWHERE = {
    ("HeadcountAttentionMapViewer", "maps"): {"selected_objects.handle", "view_maps.handle"},
    ("HeadcountCountPrompt", "objects"): {"encode_count_prompt.objects_line"},
    ("HeadcountCountRepair", "counts"): {"counts_of.connected"},
    ("HeadcountCountRepair", "image"): {"repair_pictures.images"},
    ("HeadcountCountRepair", "sampler_name"): {"repair_pictures.sampler"},
    ("HeadcountCountReport", "first_seed"): {"count_report.seed"},
    ("HeadcountCountReport", "latent_image"): {"count_report.latent"},
    ("HeadcountCountReport", "sampler_name"): {"count_report.sampler"},
    ("HeadcountCountSearch", "latent_image"): {"search_seeds.latent"},
    ("HeadcountCountSearch", "sampler_name"): {"search_seeds.sampler"},
    ("HeadcountCountSearchCandidates", "latent_image"): {"preview_for_pick.latent"},
    ("HeadcountCountSearchCandidates", "sampler_name"): {"preview_for_pick.sampler"},
    ("HeadcountCountsFromTracks", "counted"): {"counts_from_tracks.others"},
    ("HeadcountDetectorCounter", "detector"): {"detector_counter.name"},
    ("HeadcountGenerateUntilRight", "sampler_name"): {"generate_until_right.sampler"},
    ("HeadcountInstanceMasks", "batch_index"): {"find_instances.item"},
    ("HeadcountInstanceMasks", "instances"): {"find_instances.which"},
    ("HeadcountInstanceMasks", "maps"): {"find_instances.handle"},
    ("HeadcountIsacAttentionControl", "preset"): {
        f"with_isac.{setting}" for setting in ("step_mode", "step_size", "objective", "mode", "spacing")
    },
    ("HeadcountIsacAttentionControl", "strength"): {"with_isac.step_size"},
    ("HeadcountIsacLatentSelection", "latent_image"): {"select_latent.latent"},
    ("HeadcountIsacLatentSelection", "sampler_name"): {"select_latent.sampler"},
    ("HeadcountLoadDemoModel", "model"): {"load_demo_model.name"},
    ("HeadcountLoadT2ICountModel", "model_name"): {"load_counter.name"},
    ("HeadcountNuminaCountGuide", "low_noise_model"): {"with_shared_guide.model"},
    ("HeadcountNuminaCountGuide", "model"): {"with_numina.model"},
    ("HeadcountT2ICountCounter", "similarity_from"): {"count_in_pictures.attention"},
    ("HeadcountT2ICountCounter", "t2icount"): {"count_in_pictures.counter"},
}
# (Node, input) -> two values to try, where its default hides other inputs, or stands for none.
TRIED = {
    ("HeadcountIsacAttentionControl", "preset"): ["custom", "paper"],
    ("HeadcountIsacAttentionControl", "spacing"): [0.2, 0.3],
    ("HeadcountIsacLatentSelection", "spacing"): [0.2, 0.3],
    ("HeadcountT2ICountCounter", "stride"): [128, 192],
}
# What arrives as something computed from it; everything else arrives as it is.
COMPUTED = {
    ("HeadcountIsacAttentionControl", "strength"),
    ("HeadcountIsacAttentionControl", "preset"),
    ("HeadcountT2ICountCounter", "similarity_from"),
}
EVERY = {
    name: node for node in NODES if inspect.signature(node.execute).parameters for name in [node.GET_SCHEMA().node_id]
}


class ReachedError(Exception):
    """The last bridge function was called: what follows needs its real results."""


@dataclass(frozen=True)
class Link:
    """Stands for what comes through a socket."""

    name: str


def schemas(node: Any) -> dict[str, list[Any]]:
    """Input name -> its entry in ComfyUI's V1 form."""
    groups = node.GET_NODE_INFO_V1()["input"]
    return {name: entry for group in ("required", "optional") for name, entry in groups.get(group, {}).items()}


def choices(entry: list[Any]) -> list[Any]:
    """Two values of an input, the first of them its default; only one where no other exists."""
    kind, options = entry[0], entry[1] if len(entry) > 1 else {}
    if kind == "COMBO":
        default = options.get("default", options["options"][0])
        return [default, *(value for value in options["options"] if value != default)][:2]
    if kind == "BOOLEAN":
        return [options["default"], not options["default"]]
    if kind in ("INT", "FLOAT"):
        step = options.get("step") or 1
        near = options["default"] + (step if options["default"] + step <= options["max"] else -step)
        return [options["default"], near]
    if kind == "STRING":
        return ["2 dogs" if options.get("forceInput") else options.get("default", ""), "3 cats, 1 dog"]
    links = [Link("first"), Link("second")]
    return [{"samples": link} for link in links] if kind == io.Latent.io_type else links


def leaves(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments, and in place of a settings object its fields, as far as they come from inputs."""
    for name, value in arguments.items():
        if isinstance(value, Link | str | bool | int | float):
            yield name, value
        elif isinstance(value, dict) and isinstance(value.get("samples"), Link):
            yield name, value["samples"]
        elif is_dataclass(value):
            yield from leaves({field.name: getattr(value, field.name) for field in fields(value)})


def arrived(name: str, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """ "function.argument" -> value, of every bridge function that the node `name` calls with these inputs."""
    node, seen = EVERY[name], {}
    module = sys.modules[node.__module__]

    def spy(function: str, last: bool) -> Any:
        signature = inspect.signature(getattr(module, function))

        def called(*args: Any, **named: Any) -> tuple[str, str]:
            bound = signature.bind(*args, **named)
            bound.apply_defaults()
            found = list(leaves(bound.arguments))
            assert len(dict(found)) == len(found), f"{function} gets two values of one name"
            seen.update({f"{function}.{argument}": value for argument, value in found})
            if last:
                raise ReachedError
            return "first", "second"

        return called

    with monkeypatch.context() as patch:
        for function in CALLS[name]:
            patch.setattr(module, function, spy(function, function == CALLS[name][-1]))
        with pytest.raises(ReachedError):
            node.execute(**inputs)
    return seen


def test_every_node_with_inputs_is_in_the_table() -> None:
    assert sorted(CALLS) == sorted(EVERY)
    assert [key for key in ELSEWHERE if key[1] not in schemas(EVERY[key[0]])] == []


@pytest.mark.parametrize(
    ("node", "name"), [(node, name) for node in sorted(CALLS) for name in schemas(EVERY[node])], ids=lambda one: one
)
def test_an_input_reaches_what_it_names(node: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every = schemas(EVERY[node])
    tried = {other: TRIED.get((node, other)) or choices(entry) for other, entry in every.items()}
    usual = {other: values[0] for other, values in tried.items()}
    given = tried[name][-1]
    before = arrived(node, usual, monkeypatch)
    after = arrived(node, {**usual, name: given}, monkeypatch)
    expected = ELSEWHERE.get((node, name)) or {key for key in before if key.split(".")[1] == name}
    assert expected, f"nothing that {node} calls has an argument of this name; ELSEWHERE can say where it arrives"
    if given != usual[name]:  # a list of files may have only one
        assert {key for key in before if before[key] != after.get(key)} == expected
    if (node, name) not in COMPUTED:
        value = given["samples"] if isinstance(given, dict) else given
        assert {key: after[key] for key in expected} == dict.fromkeys(expected, value)
