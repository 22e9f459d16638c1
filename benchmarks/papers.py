"""Every row of the tables of the three papers, with the command of this pack that re-makes it.

`python -m benchmarks.papers` prints Markdown; `--paper NUMINA` one paper's; `--commands` only the commands, each once, for a
script of yours. Words in capitals are your files. docs/papers.md is what it prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from .lab.command import new_parser
from .lab.paper_tables import ISAC, NUMINA, T2ICOUNT, Row, paper_rows
from .lab.tables import table

PAPERS = (ISAC, NUMINA, T2ICOUNT)
_HEAD = (
    "# The papers' tables",
    "",
    "What ISAC, NUMINA and T2ICount print, and the command that re-makes each row; a blank means that it was not run: none",
    "of the papers' weights were at hand. Words in capitals are your files. Methods `numina_ablation:...` are a node of the",
    "benchmarks: link the folder benchmarks/numina_ablation into custom_nodes of each server, beside the pack. Written by",
    "`python -m benchmarks.papers`.",
)


def render(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of Markdown, a table of them for each of the papers'."""
    yield from _HEAD
    for (paper, name), group in groupby(rows, lambda row: (row.paper, row.table)):
        cells = ([row.name, row.figure, f"`{row.command}`" if row.command else row.why, row.ours] for row in group)
        yield from ("", f"## {paper}: {name}", "", *table(["row", "paper", "command", "ours"], cells))


def main(line: Sequence[str] | None = None) -> None:
    """Print."""
    parser = new_parser(__doc__)
    parser.add_argument("--paper", choices=PAPERS)
    parser.add_argument("--commands", action="store_true", help="only the commands, each once")
    arguments = parser.parse_args(line)
    rows = [row for row in paper_rows() if arguments.paper in (None, row.paper)]
    lines = dict.fromkeys(row.command for row in rows if row.command) if arguments.commands else render(rows)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
