"""Templates to HTML: Jinja with autoescape on and undefined names refused."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from flower_web import assets, formats, states

_FILTERS = (
    *((formats, name) for name in ("count", "exact", "duration", "percent", "middle")),
    *((formats, name) for name in ("iso", "full", "moment", "clock", "since")),
    (states, "look"),
    (states, "mark"),
    (assets, "built"),
)


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
    made.filters.update({name: getattr(module, name) for module, name in _FILTERS})
    return made


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """For the Litestar application that serves the pages."""
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment()))
