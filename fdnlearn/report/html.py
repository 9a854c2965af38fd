"""How every page is made: one environment of templates, one style sheet, and figures with heading and caption.

Templates are named ``package:file``. `base.html.j2` is what all pages have around their body, `parts.html.j2` what
several of them show.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from fdnlearn.report.formatting import (
    format_band,
    format_effort,
    format_gain_db,
    format_jnds,
    format_number,
    format_p,
    format_time,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureView:
    """One figure of a page; `tall` asks for two rows of the grid."""

    svg: Markup
    title: str
    caption: str
    tall: bool = False


def figure_view(figure: Figure, name: str, title: str, caption: str, *, tall: bool = False) -> FigureView:
    """A figure as inline SVG; `name` is its own on the page."""
    from markupsafe import Markup

    from fdnlearn.report.style import to_svg

    return FigureView(Markup(to_svg(figure, name, f"{title}: {caption}")), title, caption, tall)


def render_template(name: str, **content: Any) -> str:
    """A page as text; equal content gives equal text.

    Parameters
    ----------
    name : str
        ``package:file`` of the template.
    **content
        What the template shows. All strings are escaped; what it names and is not given is an error.
    """
    return _environment().get_template(name).render(**content)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["css"] = Markup(_source("fdnlearn.report:page.css"))
    environment.filters |= {
        "band": format_band,
        "effort": format_effort,
        "gain_db": format_gain_db,
        "jnds": format_jnds,
        "number": format_number,
        "p": format_p,
        "time": format_time,
    }
    return environment


def _source(name: str) -> str:
    package, _, file = name.partition(":")
    return resources.files(package).joinpath(file).read_text("utf-8")
