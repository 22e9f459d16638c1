"""Prompts of ten languages, their objects lines, measures and ages, and prompts without counted objects.

The sets of tests/data/prompts were written before they were read. Those called "apart" were first read when the rules stood:
F1 was 0.88 (zh), 0.95 (ko), 0.99 (de) and 1.0 (the others). Those called "second" gave 0.85 (zh), 0.96 (ko) and 1.0 (ja) at
first; of "third", all Chinese, the first half gave 0.68 and, after verbs and idioms had become kinds, the other half 0.91.
"Fourth" gave 0.82, and "fifth", after Chinese phrases were cut into known words, 0.99. Traditional Chinese gave 0.89 and,
after it was read by the same words, 0.97 in its second set; Japanese without kana 0.83, 0.94 and 1.0, Korean's third
set 0.96, English prose 0.87, 0.84, 0.90, 0.90, 0.83 and, after places and frames had become kinds, 0.90, 0.86 and 0.94, English
tags 0.89 and 0.96; eleven truths of those sets were slips by the rules of Count Prompt's help, and were put right after their
first reading. What it missed was mended by kinds afterwards, so that all sets read better now than an unread one will.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import pytest
from headcount.core.errors import CountError
from headcount.core.prompts import (
    Counts,
    describe_objects,
    find_objects,
    parse_prompt,
    read_prompt,
    summary_of,
)
from headcount.core.prompts.languages.grammar import SPACED, Grammar
from headcount.core.prompts.languages.tables import read_table

FOLDER = Path(__file__).parent.parent / "data" / "prompts"
LANGUAGES = ("zh", "ja", "ko", "de", "fr", "es", "pt", "it", "ru")
ROWS = {
    file.stem: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for file in sorted(FOLDER.glob("*.jsonl"))
}
SIZES = {"apart": 30, "second": 20, "zh_second": 30, "third": 40, "fourth": 60, "fifth": 30, "ko_third": 24}
SIZES |= dict.fromkeys(("hant", "kanji", "prose", "tags"), 24)
SIZES |= dict.fromkeys(("zh_hant_second", "ja_kanji_second", "ja_kanji_third", "tags_second"), 15)
SIZES |= dict.fromkeys(("prose_second", "prose_third", "prose_fourth"), 15)
SIZES |= {"prose_fifth": 40, "prose_sixth": 30, "prose_seventh": 30, "prose_eighth": 20}
SETS = [name for name in ROWS if name.partition("_")[0] in (*LANGUAGES, "prose", "tags")]


def is_same(read: str, wanted: str) -> bool:
    """Whether two nouns have one head; where no spaces are written, one may say more than the other."""
    one, other = (noun.lower().split()[-1] for noun in (read, wanted))
    return one == other or (not one.isascii() and (one.endswith(other) or other.endswith(one)))


def f1(rows: list[dict]) -> float:
    right = wanted = read = 0
    for row in rows:
        left = [(item.noun, item.count) for item in parse_prompt(row["prompt"])]
        read, wanted = read + len(left), wanted + len(row["counts"])
        for noun, count in row["counts"].items():
            fitting = [one for one in left if one[1] == count and is_same(one[0], noun)]
            if fitting:
                left.remove(fitting[0])
                right += 1
    return 2 * right / (read + wanted)


@pytest.mark.parametrize("name", SETS)
def test_languages(name: str) -> None:
    assert len(ROWS[name]) == (SIZES.get(name) or SIZES.get(name.partition("_")[2], 70))
    assert f1(ROWS[name]) >= 0.9


@pytest.mark.parametrize("name", SETS)
def test_lines_of_languages(name: str) -> None:
    """Each noun of a line is found where the prompt has it."""
    counted = [row for row in ROWS[name] if row["counts"]]
    missed = []
    for row in counted:
        line = ", ".join(f"{count} {noun}" for noun, count in row["counts"].items())
        try:
            found = find_objects(row["prompt"], line)
        except CountError as error:
            missed.append((row["prompt"], str(error)))
            continue
        for one, (noun, count) in zip(found, row["counts"].items(), strict=True):
            places = [row["prompt"][slice(*span)] for span in one.nouns]
            if one.item.count != count or not any(is_same(place, noun) for place in places):
                missed.append((row["prompt"], describe_objects([one.item])))
    assert len(missed) <= 0.05 * len(counted), missed


@pytest.mark.parametrize("name", ["measures", "measures_apart", "uncounted", "uncounted_apart"])
def test_numbers_that_count_nothing(name: str) -> None:
    """Ages, lenses, sizes, names; of 100 prompts one may read a number above one that is none."""
    wrong = []
    for row in ROWS[name]:
        read = sorted(item.count for item in parse_prompt(row["prompt"]) if item.count > 1)
        if read != sorted(count for count in row["counts"].values() if count > 1):
            wrong.append((row["prompt"], read))
    assert len(wrong) <= len(ROWS[name]) / 100, wrong


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("三只红色的汽车和两只蓝色的汽车", "3 红色 汽车, 2 蓝色 汽车"),
        ("两张照片，三人", "2 照片, 3 人"),
        ("12 个鸡蛋, 3 cats", "12 鸡蛋, 3 cats"),
        ("三头六臂的哪吒，三个月大的小金毛，第三只猫，九尾狐", "nothing is counted"),
        ("一头长发的女子，一双明亮的大眼睛，三只耳朵的兔子", "nothing is counted"),
        ("一位病床上的少年，一位蒙面女侠，一辆改装越野车", "1 病床上 少年, 1 蒙面女侠, 1 改装越野车"),
        ("两个红色和三个蓝色的气球，三套西装", "2 红色 气球, 3 蓝色 气球, 3 西装"),
        ("一个抱着两只猫的女孩，姐妹俩，双胞胎女孩", "2 猫, 1 女孩, 2 姐妹, 2 双胞胎女孩"),
        ("两位演员，一个花旦一个武生。左右各一名士兵", "2 演员, 2 士兵"),
        ("苹果x3，梨（2个），猫三只", "3 苹果, 2 梨, 3 猫"),
        ("三个圆形白色瓷盘，五个芒果班戟", "3 圆形 白色 瓷盘, 5 芒果班戟"),
        ("1个男孩，2个女孩，1个老师", "1 男孩, 2 女孩, 1 老师"),
        ("请设计一个logo，两支队伍在拔河，每队五人", "1 logo"),
        ("兩隻貓，一雙鞋，三個女孩", "2 貓, 2 鞋, 3 女孩"),
        ("三位著名歌手，兩條鯉魚洄游，三名剑士腾跃，两艘帆船颠簸", "3 著名歌手, 2 鯉魚, 3 剑士, 2 帆船"),
        ("一男两女，3男2女", "4 男, 4 女"),
        ("着物二枚、現在、幻想的", "2 着物"),
        ("双子の姉妹、双子の少女二人", "2 姉妹, 2 少女"),
        ("二本の木の間の道、三人目の女性", "2 木"),
        ("새 두 마리, '고양이 세 마리'라고 적힌 간판", "2 새"),
        ("ふたりの女の子とひとつのりんご", "2 女の子, 1 りんご"),
        ("３匹の猫", "3 猫"),
        ("고양이 스물두 마리", "22 고양이"),
        ("고양이3마리, 사람 셋이, 두 마리 용이 싸우는, 맥주 두 캔", "3 고양이, 3 사람, 2 용, 2 맥주"),
        ("두 눈을 감은 20대 여성", "nothing is counted"),
        ("쌍둥이 자매, 쌍둥이 형제 두 명", "2 자매, 2 형제"),
        ("ein Dutzend Eier und einundzwanzig Kerzen", "12 eier, 21 kerzen"),
        ("trois chats noirs et deux chats blancs", "3 noirs chats, 2 blancs chats"),
        ("treinta y dos gatos", "32 gatos"),
        ("due coppie di scarpe e un'ape", "4 scarpe, 1 ape"),
    ],
)
def test_examples(prompt: str, expected: str) -> None:
    assert describe_objects(parse_prompt(prompt)) == expected


def test_a_row_is_no_vague_number() -> None:
    assert read_prompt("六头大象排成一列走过河床").sentences == ()


def test_a_summary_keeps_the_order_of_the_prompt() -> None:
    prompt = "Trois petits chats noirs et deux chats blancs, two red cats"
    objects = parse_prompt(prompt)
    assert summary_of(Counts(prompt, objects)).startswith("3 petits chats noirs, 2 chats blancs")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("几只猫", "'几只猫' is not a number: write one, such as '三只猫'"),
        ("两三只猫", "'两三只猫' is a range: write one number, such as '三只猫'"),
        ("至少三只猫", "'至少三只猫' is not an exact number: write '三只猫'"),
        ("二十多只猫", "'二十多只猫' is not an exact number: write '二十只猫'"),
        ("数百名骑兵", "'数百名骑兵' is not a number: write one, such as '三名骑兵'"),
        ("一座座青山", "'一座座青山' is not a number: write one, such as '三座青山'"),
        ("幾隻貓", "'幾隻貓' is not a number: write one, such as '三隻貓'"),
        ("一群學生", "'一群學生' is not a number: write one, such as '三個學生'"),
        ("至少三個女孩", "'至少三個女孩' is not an exact number: write '三個女孩'"),
        ("0只狗", "0 狗 cannot be steered: put it into the negative prompt"),
        ("没有狗", "'没有狗' counts nothing: put '狗' into the negative prompt"),
        ("数羽の鳥", "'数羽の鳥' is not a number: write one, such as '鳥3羽'"),
        ("많은 사람들이 걷는다", "'많은 사람' is not a number: write one, such as '세 사람'"),
        ("고양이 몇 마리", "'고양이 몇 마리' is not a number: write one, such as '고양이 세 마리'"),
        ("einige Katzen und viele Hunde", "'einige katzen' is not a number: write one, such as '3 katzen'"),
        ("au moins trois chats", "'au moins trois chats' is not an exact number: write '3 chats'"),
        ("sin personas en la calle", "'sin personas' counts nothing: put 'personas' into the negative prompt"),
        ("две или три кошки", "'две или три кошки' is a range: write one number, such as '3 кошки'"),
    ],
)
def test_what_is_said(prompt: str, said: str) -> None:
    reading = read_prompt(prompt)
    assert reading.sentences[0] == said
    assert reading.objects == ()


@pytest.mark.parametrize("language", SPACED)
def test_every_entry_of_a_table_is_read(language: str) -> None:
    """A name that no attribute has would be left out without a word."""
    names = {*Grammar.__annotations__, "compounds", "of_ones", "of_tens"}
    assert set(read_table(language)["words"]) <= names


@pytest.mark.parametrize("text", ["paar 」 Katzen at ” . not", "paar", "Dutzend und", "par", "1 . 三 。 第"])
def test_every_text_comes_to_an_end(text: str) -> None:
    assert all(found.nouns for found in find_objects(text))


@pytest.mark.parametrize(
    "part",
    ["三只红色的猫和两只狗在草地上，", "三只两三百", "3匹の黒い猫が犬と、", "あいうえお", "검은 고양이 세 마리, ", "猫狗鸟",
     "兩隻貓在沙發上，", "着物二枚、", "' 가 ' ", "drei schwarze Katzen und ein Hund, ", "trois chats noirs et l'homme d'un ",
     "три кошки и ", "« “ „ \" ", "3 猫 "],
)  # fmt: skip
def test_long_prompts_take_as_much_longer(part: str) -> None:
    def seconds(length: int) -> float:
        text = part * (length // len(part) + 1)
        start = process_time()
        find_objects(text)
        return process_time() - start

    short = min(seconds(3_000) for _ in range(2))
    assert seconds(30_000) < 40 * short + 0.2
