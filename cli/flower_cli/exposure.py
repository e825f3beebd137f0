"""Refuses to open the dashboard to a network where the user asked for a guard that this build does not have.

Flower 2 options such as `certfile` are otherwise ignored with a warning, which nobody may have read.
"""

from flower_api.settings import ApiSettings, is_loopback
from flower_cli import errors, flower2
from flower_cli.configuration import Configuration


def check(configuration: Configuration) -> None:
    """Raise Refused for a guard that was given and is ignored, with an address that others can reach."""
    if is_loopback(configuration.settings(ApiSettings).address):
        return
    for ignored in configuration.ignored:
        if ignored.name in flower2.GUARDS:
            raise errors.Refused(
                f"{ignored.source}: {flower2.NOT_YET}, and without it everybody who reaches the port would be "
                "let in: remove it, or choose a loopback address such as 127.0.0.1"
            )
