"""Templates to HTML: Jinja with autoescape on and undefined names refused."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from flower_web import assets, formats, states

_FILTERS = ("count", "exact", "duration", "percent", "iso", "full", "moment", "clock", "since", "middle")


def environment() -> Environment:
    """The environment of every template; names end in .html or .svg and all are escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update({name: getattr(formats, name) for name in _FILTERS})
    made.filters.update(look=states.look, built=assets.built)
    return made


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """For the Litestar application that serves the pages."""
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment()))
