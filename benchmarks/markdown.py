"""Tables of a page, each between its marker and `<!-- end -->`, as a command fills them."""

from pathlib import Path

Figures = dict[str, object]
Rows = dict[str, Figures]
"""A table's rows by name, each with its figures by key."""


def shown(figure: object) -> str:
    match figure:
        case None:
            return ""
        case {"mean": float(mean), "se": float(se)}:
            return f"{mean:.2f} ± {se:.2f}"
        case float():
            return f"{figure:.2f}" if abs(figure) > 1 else f"{figure:.4f}"
    return str(figure)


def markdown(rows: Rows, columns: dict[str, str], corner: str) -> str:
    """`rows` with the figures `columns` (key: title), under a first column `corner` of their names."""
    cells = [[name, *(shown(row.get(key)) for key in columns)] for name, row in rows.items()]
    lines = [[corner, *columns.values()], ["---"] * (1 + len(columns)), *cells]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def fill(page: Path, tables: dict[str, str]) -> None:
    """Put each table (marker: text) where `<!-- marker -->` stands."""
    text = page.read_text(encoding="utf-8")
    for mark, table in tables.items():
        head, found, rest = text.partition(f"<!-- {mark} -->\n")
        assert found, f"{page} has no <!-- {mark} -->"
        text = f"{head}{found}{table}<!-- end -->{rest.partition('<!-- end -->')[2]}"
    page.write_text(text, encoding="utf-8")
