"""Every row of the tables of the three papers, with the command of this pack that re-makes it.

docs/papers.md holds them. `python -m benchmarks.papers` prints it; `--paper NUMINA` one paper's; `--commands` the commands,
each once, for a script of yours. Words in capitals are your files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .lab.command import new_parser

PAGE = Path(__file__).resolve().parents[1] / "docs" / "papers.md"
ISAC, NUMINA, T2ICOUNT = PAPERS = ("ISAC", "NUMINA", "T2ICount")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        paper: one of `PAPERS`.
        table: as the paper numbers it, with what its columns are.
        name: of the row.
        command: what re-makes it; None where this pack has none.
        why: where there is no command.
    """

    paper: str
    table: str
    name: str
    command: str | None
    why: str


def sections() -> tuple[str, list[str]]:
    """The page's beginning, and its tables, each with its heading "## paper: table"."""
    head, *tables = PAGE.read_text(encoding="utf-8").split("\n## ")
    return head, [f"## {table}" for table in tables]


def rows_of(section: str) -> Iterator[Row]:
    """The rows of one table."""
    heading, _, _head, _rule, *lines = section.strip().splitlines()
    paper, _, table = heading.removeprefix("## ").partition(": ")
    for line in lines:
        name, _figure, way, _ours = (cell.strip() for cell in line.strip("|").split("|"))
        is_command = way.startswith("`")
        yield Row(paper, table, name, way.strip("`") if is_command else None, "" if is_command else way)


def paper_rows() -> list[Row]:
    """All of them, in the papers' order."""
    return [row for section in sections()[1] for row in rows_of(section)]


def main(line: Sequence[str] | None = None) -> None:
    """Print."""
    parser = new_parser(__doc__)
    parser.add_argument("--paper", choices=PAPERS)
    parser.add_argument("--commands", action="store_true", help="only the commands, each once")
    arguments = parser.parse_args(line)
    head, tables = sections()
    tables = [section for section in tables if section.startswith(f"## {arguments.paper or ''}")]
    if arguments.commands:
        print(*dict.fromkeys(row.command for section in tables for row in rows_of(section) if row.command), sep="\n")
    else:
        print(head, *tables, sep="\n", end="")


if __name__ == "__main__":
    main()
