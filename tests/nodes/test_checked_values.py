"""Every widget of every node: a value that the schema does not offer is refused with a sentence, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from comfy_api.latest import io
from headcount.bridge.t2icount.files import file_state, model_path
from headcount.core.errors import CountError
from headcount.nodes import NODES

NAN, INF = float("nan"), float("inf")
Case = tuple[type[io.ComfyNode], io.Input]


def widgets(*kinds: type) -> list[Any]:
    """Node and input for each widget of these kinds, named "node input"."""
    found = [(node, one) for node in NODES for one in node.define_schema().inputs if isinstance(one, kinds)]
    return [pytest.param(node, one, id=f"{node.__name__} {one.id}") for node, one in found]


def run(node: type[io.ComfyNode], **wrong: Any) -> None:
    """Run a node as ComfyUI does: widgets at their defaults, sockets empty, and one value that is wrong."""
    values = {one.id: getattr(one, "default", None) for one in node.define_schema().inputs}
    values |= {one.id: one.default or "" for one in node.define_schema().inputs if isinstance(one, io.String.Input)}
    values |= {one.id: one.options[0] for one in node.define_schema().inputs if isinstance(one, io.Combo.Input)}
    node.EXECUTE_NORMALIZED(**{**values, **wrong})


@pytest.mark.parametrize("value", ["nope", "", 5, True, None, ["euler"], 1.5], ids=repr)
@pytest.mark.parametrize(("node", "one"), widgets(io.Combo.Input))
def test_a_choice_that_is_none(node: type[io.ComfyNode], one: io.Combo.Input, value: object) -> None:
    if value is None and one.optional:
        return  # not connected: the default
    with pytest.raises(CountError) as raised:
        run(node, **{one.id: value})
    shown = repr(value) if not isinstance(value, list) else "a list"
    # Asked again: lists of files are those of now, which other tests add to.
    first = next(now.options[0] for now in node.define_schema().inputs if now.id == one.id)
    assert str(raised.value).startswith(f"{one.id} is {shown}; it can be {first!r}")


def numbers_beside(one: Any) -> Iterator[object]:
    yield from (NAN, INF, -INF, "3", one.max + 1, one.min - 1, [1], 10**400)
    if isinstance(one, io.Int.Input):
        yield 1.5


@pytest.mark.parametrize(("node", "one"), widgets(io.Int.Input, io.Float.Input))
def test_a_number_that_is_none(node: type[io.ComfyNode], one: Any) -> None:
    for value in numbers_beside(one):
        with pytest.raises(CountError, match=rf"^{one.id} is .*; it must be a (whole )?number from"):
            run(node, **{one.id: value})


@pytest.mark.parametrize(("node", "one"), widgets(io.String.Input))
def test_a_text_that_is_none(node: type[io.ComfyNode], one: io.String.Input) -> None:
    lists = [] if node.GET_SCHEMA().is_input_list else [["two cats"]]
    for value in (5, *lists, b"cats"):
        with pytest.raises(CountError, match=rf"^{one.id} is .*; it must be a text$"):
            run(node, **{one.id: value})


def test_widgets_of_all_kinds_were_there() -> None:
    assert len(widgets(io.Combo.Input)) >= 20 and len(widgets(io.Int.Input, io.Float.Input)) >= 30


def test_long_lists_are_cut() -> None:
    sampler = next(node for node in NODES if any(one.id == "sampler_name" for one in node.define_schema().inputs))
    with pytest.raises(CountError, match=r"^sampler_name is 'nope'; it can be 'euler', .* and \d+ others$"):
        run(sampler, sampler_name="nope")


@pytest.mark.parametrize("name", [5, True, None, 1.5])
def test_a_file_name_that_is_none(name: Any) -> None:
    assert file_state(name) == ""
    with pytest.raises(CountError, match="there is no T2ICount file"):
        model_path(name)
