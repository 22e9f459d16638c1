"""The nodes speak every language that locales/ has: all of their texts, made from the English that they say now.

After a change of an English text: translate it in locales/<language>/phrases.json, then `python -m demo.write_locales`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from demo.write_locales import FOLDER, TRANSLATED, build_locales, english, node_infos, page_texts, phrases_of, translate

INFOS = node_infos()
NODES = english(INFOS)
FILE_NAME = r"[\w./-]+\.(?:pth|safetensors)|(?:models|github\.com)/[\w/]+"
every_language = pytest.mark.parametrize("language", TRANSLATED)


def _texts() -> dict[str, str]:
    """Where a tooltip or a description stands -> its English."""
    found = {}
    for node, texts in NODES.items():
        found[node] = texts["description"]
        for group in ("inputs", "outputs"):
            found |= {f"{node}.{name}": slot["tooltip"] for name, slot in texts[group].items()}
    return found


def _names() -> set[str]:
    """Every name that a node, an input or an output shows."""
    slots = [slot for texts in NODES.values() for group in ("inputs", "outputs") for slot in texts[group].values()]
    return {texts["display_name"] for texts in NODES.values()} | {slot["name"] for slot in slots if "name" in slot}


def _options() -> dict[str, list[str]]:
    """Where a list of choices stands -> what can be chosen; the page shows it as it is, in every language."""
    return {
        f"{info['name']}.{name}": spec[1]["options"]
        for info in INFOS
        for specs in info["input"].values()
        for name, spec in specs.items()
        if spec[0] == "COMBO" and name not in ("sampler_name", "scheduler")
    }


def lost(text: str, translation: str, names: dict[str, str], options: list[str]) -> list[str]:
    """What the English text names, and its translation does not: numbers, examples, choices, files, nodes, inputs."""
    kept = re.findall(r"(?<!\w)'([^']+)'(?!\w)", text) + re.findall(FILE_NAME, text)
    kept += [word for word in ("BOUNDING_BOX", "SEGS", "BBOX", "JSON", "T2ICOUNT") if word in text]
    kept += [option for option in options if re.search(rf"\b{option}(?=[:,.]| (?:for|up to)\b)", text)]
    shown = [name for name in names if re.search(r"[A-Z]{2}|\w_\w|[A-Z]\w+ [A-Z]", name)]
    kept += [names[name] for name in shown if re.search(rf"\b{name}\b", text)]
    missing = [part for part in kept if part not in translation]
    numbers = [sorted(re.findall(r"-?\d+(?:\.\d+)?", part)) for part in (text, translation)]
    return missing if numbers[0] == numbers[1] else [*missing, f"{numbers[0]} became {numbers[1]}"]


def test_files_are_what_the_command_writes() -> None:
    for language, content in build_locales(INFOS).items():
        file = FOLDER / language / "nodeDefs.json"
        assert json.loads(file.read_text(encoding="utf-8")) == content, f"{language}: see the top of this file"
    for language in TRANSLATED:
        file = FOLDER / language / "main.json"
        assert json.loads(file.read_text(encoding="utf-8")) == page_texts(language), (
            f"{language}: see the top of this file"
        )


def test_english_is_what_the_nodes_say() -> None:
    info = next(info for info in INFOS if info["name"] == "HeadcountCountPrompt")
    texts = NODES["HeadcountCountPrompt"]
    assert texts["description"] == info["description"]
    assert texts["inputs"]["clip"] == {"name": "clip", "tooltip": info["input"]["required"]["clip"][1]["tooltip"]}
    assert "name" not in texts["outputs"]["0"] and texts["outputs"]["1"]["name"] == "COUNTS"


@every_language
def test_every_text_is_translated(language: str) -> None:
    phrases = phrases_of(language)
    assert set(_texts().values()) - set(phrases["texts"]) == set(), f"no translation in locales/{language}/phrases.json"
    assert _names() - set(phrases["names"]) == set(), f"no translation in locales/{language}/phrases.json"


@every_language
def test_what_the_page_elements_say_is_translated(language: str) -> None:
    """What they say in place of a result or a view; and no translation is of a text that none of them says."""
    code = "".join(path.read_text(encoding="utf-8") for path in (FOLDER.parent / "web").rglob("*.js"))
    said = re.findall(r'(?:const EMPTY =|new ViewError\(|\bwhy =) ?"([^"]+)"', code)
    blocks = re.findall(r"const TEXTS = \{(.*?)\}", code, re.DOTALL)
    said += re.findall(r'"([^"]+)"', "".join(blocks))
    assert len(said) == 13 and set(phrases_of(language)["page"]) == set(said)


@every_language
def test_no_translation_is_left_over(language: str) -> None:
    phrases = phrases_of(language)
    assert set(phrases["texts"]) - set(_texts().values()) == set(), "no node says these any more"
    own = {f"{texts['display_name']}.{name}" for texts in NODES.values() for name in texts["inputs"]}
    assert set(phrases["names"]) - _names() - own == set(), "no node has these names any more"


@every_language
def test_translations_are_translated(language: str) -> None:
    phrases = phrases_of(language)
    pairs = {**phrases["names"], **phrases["texts"], **phrases["page"]}
    assert [text for text, translation in pairs.items() if translation.strip() in ("", text)] == []
    # The page's message format gives these signs a meaning: a text with one of them would be cut, or not shown at all.
    assert [text for text, translation in pairs.items() if set("{}@|") & set(text + translation)] == []


@every_language
def test_what_a_text_names_is_kept(language: str) -> None:
    phrases, options = phrases_of(language), _options()
    found = {
        place: lost(text, phrases["texts"].get(text, text), phrases["names"], options.get(place, []))
        for place, text in _texts().items()
        if text in phrases["texts"]
    }
    assert {place: missing for place, missing in found.items() if missing} == {}


@every_language
def test_nodes_can_be_told_apart(language: str) -> None:
    """No two nodes have the same name, and no node has two inputs, or two outputs, of the same name."""
    content = translate(NODES, phrases_of(language))
    assert len({texts["display_name"] for texts in content.values()}) == len(content)
    for node, texts in content.items():
        for group in ("inputs", "outputs"):
            names = [slot["name"] for slot in texts[group].values() if "name" in slot]
            assert len(set(names)) == len(names), f"{node}, {group}: {names}"


def test_a_changed_text_has_no_translation() -> None:
    """A stale translation is not shown, and the test above names the text that needs a new one."""
    texts: dict[str, Any] = {**NODES["HeadcountCountCheck"], "description": "Says something new."}
    translated = translate({"HeadcountCountCheck": texts}, phrases_of("ja"))["HeadcountCountCheck"]
    assert "description" not in translated
    assert translated["inputs"] == translate(NODES, phrases_of("ja"))["HeadcountCountCheck"]["inputs"]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("Up to 35 % of the steps.", "最大 35 %", "最大 53 %"),
        ("Such as 'two cats'.", "例: 'two cats'", "例: 二匹の猫"),
        ("low: always. fast: never.", "low: 常に。fast: 決して。", "低: 常に。fast: 決して。"),
        ("Put a.pth into models/here.", "a.pth を models/here に", "a.pth をフォルダに"),
        ("See Count Prompt and start_percent.", "個数の文と始め", "個数の文と start_percent"),
    ],
)
def test_the_rule_sees_what_is_lost(text: str, good: str, bad: str) -> None:
    names = {"Count Prompt": "個数の文", "start_percent": "始め", "low": "低"}
    assert lost(text, good, names, ["low", "fast"]) == []
    assert len(lost(text, bad, names, ["low", "fast"])) == 1
