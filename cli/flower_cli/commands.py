"""`celery … flower`: Celery loads this module in every process, workers included, so it imports click alone.

The whole stack costs over a second; it is imported when the command is used. A test holds that.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class CeleryFlower(click.Command):
    """`flower up` with the app, broker and directory that were given to Celery itself."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        """Become the real command, with Celery's options as the first of its own."""
        command: click.Command = importlib.import_module("flower_cli.main").up()
        # Options that the user's app adds to every celery command: Celery put them here.
        command.params += self.params
        return command.make_context(info_name, [*_of_celery(parent), *args], parent, **extra)


def _of_celery(context: click.Context | None) -> list[str]:
    """Celery's `-A` and `-b`; it has applied its other options itself, to the environment and the directory."""
    given: Mapping[str, Any] = context.params if context else {}
    options = []
    if isinstance(given.get("app"), str):
        options += ["--app", given["app"]]
    # Otherwise the app is one that Celery made: its broker may come from `celery --config`.
    broker = given.get("broker") or (None if options else _broker(context))
    return [*options, "--broker", broker] if broker else options


def _broker(context: click.Context | None) -> str | None:
    app = getattr(context and context.obj, "app", None)
    return app.conf.broker_url if app else None


flower = CeleryFlower("flower", help="See this cluster in the browser: the same as `flower up`.")
