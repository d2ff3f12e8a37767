"""The documentation site: `make docs` builds it into build/docs.

Everything a page needs is in the build: formulas are drawn as SVG by matplotlib (`_ext/math_svg.py`), fonts
are those of the reader's system, and the search is Sphinx's own, which needs no server. Notebook pages run
while the site is built; a cell that fails stops the build.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("OMP_NUM_THREADS", "1")
FILES = HERE.parent / "build" / "docs-files"
FILES.mkdir(parents=True, exist_ok=True)
os.environ["REPARAM_DOCS_FILES"] = str(FILES)  # what a page's cells write there stands beside the pages
os.environ.update(COLUMNS="92", NO_COLOR="1", TTY_COMPATIBLE="0", PYTHONWARNINGS="ignore::DeprecationWarning")

import reparam  # noqa: E402

project = "reparam"
author = "the authors of reparam"
project_copyright = author
version = release = reparam.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "sphinx_copybutton",
    "math_svg",
    "docstrings",
    "glossary_links",
    "streams",
]
exclude_patterns = ["_ext"]
templates_path = []
default_role = "literal"
smartquotes_action = "qe"  # no dashes: an option begins with two
nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]  # annotations name classes of torch and numpy, which are elsewhere
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = False
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "build" / "docs-cells")
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_copy_empty_lines = False

html_theme = "furo"
html_title = "reparam"
html_math_renderer = "svg"
html_static_path = ["_static"]
html_extra_path = [str(FILES)]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "sidebar_hide_name": False,
    "light_css_variables": {
        "color-brand-primary": "#1d5f9e",
        "color-brand-content": "#1d5f9e",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
        "font-stack--monospace": "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
    },
    "dark_css_variables": {"color-brand-primary": "#7db8ee", "color-brand-content": "#7db8ee"},
}
