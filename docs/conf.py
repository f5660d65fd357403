"""The documentation site: `make docs` builds it, and a warning is an error."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# This checkout is what is documented, also by the kernels that run the tutorials, and the commands in them.
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

from gbdt_pwiser import __version__  # noqa: E402

project = "gbdt-pwiser"
author = "The gbdt-pwiser authors"
copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "commands",
    "docstrings",
    "floors",
    "offline",
]
smartquotes = False  # --help is no dash, and "q50" is typed as it stands
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Pages are MyST. A link to a page, to a heading of one or to a file is checked.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# Every build runs the tutorials, and a cell that fails, fails it; "off" is for a look at the other pages.
nb_execution_mode = os.environ.get("TUTORIALS", "force")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
if nb_execution_mode == "off":  # only a kernel tells that its language has lines such as !gbdt-pwiser
    suppress_warnings = ["misc.highlighting_failure"]

# Docstrings are numpy's, and what they put in single backticks links where there is something to link to.
default_role = "py:obj"
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # several names may share a line
napoleon_use_rtype = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autosummary_generate = True

# What is copied are the lines behind the prompts.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"gbdt-pwiser {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"index": [], "get_started": []}  # pages of no section
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
}

# A section lists what else lies in its folder, which may be nothing.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: getattr(record, "subtype", None) != "empty_glob"
)
