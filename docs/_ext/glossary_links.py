"""The first use of a glossary term in the paragraphs of a page is a link to its entry."""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

EVERYDAY = {"code", "family", "recipe"}
"""Terms that also have other meanings on these pages."""
WITHOUT = ("glossary", "changelog", "commands", "api/")
"""Pages whose words are not linked."""


def link_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    if page.startswith(WITHOUT):
        return
    objects = app.env.domains.standard_domain.objects
    places = {name: place for (kind, name), place in objects.items() if kind == "term"}
    places = {name.lower(): place for name, place in places.items() if name not in EVERYDAY}
    if not places:
        return
    words = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
    pattern = re.compile(rf"\b({words})(?=s?\b)", re.IGNORECASE)
    seen: set[str] = set()

    def linked(text: str) -> Iterator[nodes.Node]:
        end = 0
        for found in pattern.finditer(text):
            name = found[0].lower()
            if name in seen:
                continue
            seen.add(name)
            document, label = places[name]
            address = f"{app.builder.get_relative_uri(page, document)}#{label}"
            yield nodes.Text(text[end : found.start()])
            yield nodes.reference("", found[0], internal=True, refuri=address, classes=["term"])
            end = found.end()
        yield nodes.Text(text[end:])

    for paragraph in doctree.findall(nodes.paragraph):
        for text in [child for child in paragraph.children if isinstance(child, nodes.Text)]:
            paragraph.replace(text, list(linked(text.astext())))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
