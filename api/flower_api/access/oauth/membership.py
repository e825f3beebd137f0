"""Who of a provider's users belongs here: Flower's options `auth` and FLOWER_GITLAB_AUTH_ALLOWED_GROUPS."""

import hashlib

from flower_api.access.grants import Identity
from flower_api.access.oauth import options, pattern
from flower_api.settings import ApiSettings


class Membership:
    """Asked at each request. `mark` changes with the provider: what another one said of somebody counts no more."""

    def __init__(self, settings: ApiSettings) -> None:
        self.way = options.way(settings)
        self.mark = hashlib.sha256(
            "\n".join((self.way, options.place(settings), settings.oauth2_key)).encode()
        ).hexdigest()
        self.groups = frozenset(settings.gitlab_auth_allowed_groups if self.way == options.GITLAB else ())
        self._auth = settings.auth

    def admits(self, who: Identity) -> bool:
        """Whether they came by this provider, have an address that `auth` names, and are in one of the groups."""
        if who.way != self.way or (self.groups and self.groups.isdisjoint(who.groups)):
            return False
        return not self._auth or self.fits(who.email)

    def fits(self, address: str) -> bool:
        """Whether `auth` names this proven address."""
        return bool(address) and pattern.fits(self._auth, address)
