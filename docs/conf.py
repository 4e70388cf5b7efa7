"""How the documentation is built: `make docs`; no network is needed, and a warning is an error."""

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402, from this folder

project = "tlsmon"
author = "The tlsmon founders"
copyright = author  # noqa: A001, the name of the setting
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"tlsmon {release}"
html_copy_source = False
html_show_copyright = False
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
nitpicky = False
exclude_patterns = ["_build"]


def _fill(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put the generated parts into the places that ask for them."""
    for name, part in generate.PARTS.items():
        place = f"<!-- generated: {name} -->"
        if place in source[0]:
            source[0] = source[0].replace(place, part())


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", _fill)
