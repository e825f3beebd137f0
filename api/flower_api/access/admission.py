"""Who belongs, and with which roles, by the configuration of this moment: asked at each request, not at the login."""

from flower_api.access import grants, passwords, proxies
from flower_api.access.grants import Identity
from flower_api.access.oauth.membership import Membership
from flower_api.access.principal import Principal
from flower_api.settings import ApiSettings


class Admission:
    """The users with passwords, the provider of logins and who of it belongs, and the rules of roles."""

    def __init__(self, settings: ApiSettings) -> None:
        self.users = passwords.Users(settings.basic_auth)
        self.rules = grants.parsed(settings.role)
        self.membership = Membership(settings) if settings.auth_provider else None
        self.proxy_mark = proxies.mark(settings)

    def principal(self, who: Identity, *, via: str, form_token: str = "") -> Principal:
        """Whoever came in by any way, with the roles of this moment."""
        roles = grants.of(who, self.rules)
        return Principal(subject=who.subject, name=who.name, via=via, grants=roles, form_token=form_token)

    def stands(self, who: Identity, mark: str) -> bool:
        """Whether they would still come in by their way: the same password, header, or provider and a member of it."""
        if who.way == grants.BASIC:
            return any(user.mark == mark for user in self.users.named(who.name))
        if who.way == grants.PROXY:
            return bool(mark) and mark == self.proxy_mark
        return self.membership is not None and self.membership.mark == mark and self.membership.admits(who)
