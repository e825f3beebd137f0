"""Each guard of access, taken away: what a named test must see. Run by `test_mutations.py`."""

from collections.abc import Mapping
from typing import NamedTuple

ACCESS = "api/flower_api/access"
OAUTH = f"{ACCESS}/oauth"
LOGIN = "tests/web/test_login.py"
BY_PROVIDER = "tests/web/test_login_by_provider.py"
PROXIES = "tests/api/test_trusted_proxies.py"
BY_HEADER = "tests/web/test_login_by_proxy.py"
NAMED = "tests/web/test_named_providers.py"


class Weakened(NamedTuple):
    """What stands in the file, what stands there instead, and the test that fails then."""

    file: str
    old: str
    new: str
    test: str


NEXT_ANYWHERE = (
    f"{ACCESS}/destination.py",
    '    if odd or not wanted.startswith(home) or wanted.startswith("//"):\n        return home\n',
    '    if not wanted.startswith("/"):\n        return home\n',
)
PLANTED = (
    f"{ACCESS}/entry.py",
    "        session = await self.sessions.begin(connection, identity, mark=mark)\n",
    "        session = await self.sessions.found(connection)\n"
    "        session = session or await self.sessions.begin(connection, identity, mark=mark)\n",
)

WEAKENED: Mapping[str, Weakened] = {
    "patterns fit a beginning (CVE-2022-30034)": Weakened(
        f"{ACCESS}/grants.py",
        're.fullmatch("[^@]*".join(parts), word)',
        're.match("[^@]*".join(parts), word)',
        "tests/api/test_basic_auth.py::test_a_pattern_fits_the_whole_name",
    ),
    "other sites may write": Weakened(
        f"{ACCESS}/guard.py",
        "            same_site.check(connection)\n",
        "",
        f"{LOGIN}::test_another_site_logs_nobody_in_or_out_and_changes_nothing",
    ),
    "no token in forms": Weakened(
        f"{ACCESS}/guard.py",
        "            if who.form_token:\n",
        "            if not who.name:\n",
        f"{LOGIN}::test_a_write_with_the_cookie_needs_the_token_of_the_form",
    ),
    "a planted session is taken over": Weakened(
        *PLANTED,
        f"{LOGIN}::test_a_cookie_that_somebody_slipped_in_is_not_the_session_after_the_login",
    ),
    "next leads anywhere": Weakened(
        *NEXT_ANYWHERE,
        f"{LOGIN}::test_the_login_leads_to_no_other_place",
    ),
    "what a proxy forwards counts as this machine": Weakened(
        "api/flower_api/gate.py",
        "    if any(name in connection.headers for name in _FORWARDED) or not named_local",
        "    if not named_local",
        "tests/api/test_gate.py::test_a_proxy_on_this_machine_does_not_open_the_gate",
    ),
    "anybody is a trusted proxy": Weakened(
        "api/flower_api/forwarded.py",
        'trusted.peer(scope["client"]):',
        '(trusted.peer(scope["client"]) or scope["client"]):',
        f"{PROXIES}::test_a_client_that_forges_the_header_is_counted_and_logged_as_itself",
    ),
    "what a client wrote before its proxy counts": Weakened(
        "api/flower_api/forwarded.py",
        "        if not trusted.address(found):\n            break\n",
        "",
        f"{PROXIES}::test_what_a_client_wrote_before_the_proxy_added_its_own_is_no_way_round_the_limits",
    ),
    "anybody's prefix is put before our links": Weakened(
        "api/flower_api/forwarded.py",
        'if root and not more and said.rstrip("/") == root and',
        "if root and not more and",
        f"{PROXIES}::test_a_prefix_that_the_proxy_took_away_is_put_back_if_it_is_ours",
    ),
    "anybody may say who they are": Weakened(
        f"{ACCESS}/by_proxy.py",
        "if not (self._settings.proxy_user_header and proxies.of(connection.scope)):",
        "if not self._settings.proxy_user_header:",
        f"{BY_HEADER}::test_the_header_of_anybody_else_opens_nothing",
    ),
    "a second name beside the proxy's is not seen": Weakened(
        f"{ACCESS}/by_proxy.py",
        "    if len(values) > 1:\n",
        "    if len(values) > 2:\n",
        f"{BY_HEADER}::test_two_names_are_nobody_s",
    ),
    "a revoked token lives": Weakened(
        f"{ACCESS}/tokens.py",
        "if found is not None and found.live else None",
        "if found is not None else None",
        "tests/api/test_api_tokens.py::test_a_revoked_token_ends_at_once_on_every_replica",
    ),
    "a token may more than its maker": Weakened(
        f"{ACCESS}/tokens.py",
        "grants=maker.capped(Role(found.role), clusters)",
        "grants=principals.anonymous('').capped(Role(found.role), clusters)",
        "tests/api/test_api_tokens.py::test_a_token_may_no_more_than_its_maker_may_now",
    ),
    "a logout only takes the cookie away": Weakened(
        "store/flower_store/sessions.py",
        "    return (await connection.execute(_ENDED, given)).first() is not None\n",
        "    return (await connection.execute(_ENDED, given)).first() is not None and not session\n",
        f"{LOGIN}::test_a_logout_ends_a_stolen_cookie_on_every_replica",
    ),
    "right words are known although it is too late": Weakened(
        f"{ACCESS}/basic.py",
        "            await self._limits.check(connection, name)\n",
        "            pass\n",
        "tests/api/test_basic_auth.py::test_guessing_ends_on_every_replica_together",
    ),
    "a role holds in every cluster": Weakened(
        f"{ACCESS}/permissions.py",
        "return cluster is None or self.clusters is None or cluster in self.clusters",
        "return True",
        "tests/web/test_access_matrix.py::test_no_route_tells_or_changes_anything_of_another_s_cluster",
    ),
    "the kind of a command does not matter": Weakened(
        "api/flower_api/v1/commands.py",
        "reads.cluster(slug, permissions.BY_KIND[kind])",
        "reads.cluster(slug)",
        "tests/web/test_access_matrix.py::test_every_kind_of_command_is_for_whom_it_is_for",
    ),
    "`auth` fits a beginning (CVE-2022-30034)": Weakened(
        f"{OAUTH}/pattern.py",
        "return re.fullmatch(",
        "return re.match(",
        "tests/api/test_auth_pattern.py::test_it_names_no_other",
    ),
    "an answer of any state is taken": Weakened(
        f"{OAUTH}/transaction.py",
        '        if not hmac.compare_digest(found.state.encode(), state.encode(errors="replace")):\n',
        "        if not hmac.compare_digest(found.state, found.state):\n",
        f"{BY_PROVIDER}::test_an_answer_that_this_browser_did_not_ask_for_opens_nothing",
    ),
    "an answer is taken twice": Weakened(
        f"{OAUTH}/transaction.py",
        "            if not await sessions.spend(database, found.state, until=datetime.now(UTC) + LIFE):\n",
        "            if not (await sessions.spend(database, found.state, until=datetime.now(UTC) + LIFE) or found):\n",
        f"{BY_PROVIDER}::test_an_answer_is_taken_once_on_all_replicas",
    ),
    "an id token of another login is taken": Weakened(
        f"{OAUTH}/id_token.py",
        'params = {"nonce": nonce, ',
        'params = {"nonce": "", ',
        f"{NAMED}::test_an_id_token_that_is_not_the_provider_s_for_this_login_opens_nothing",
    ),
    "an id token for another client is taken": Weakened(
        f"{OAUTH}/id_token.py",
        ', "aud": {"essential": True, "value": client}}',
        "}",
        f"{NAMED}::test_an_id_token_that_is_not_the_provider_s_for_this_login_opens_nothing",
    ),
    "PKCE is left out": Weakened(
        f"{OAUTH}/client.py",
        '            code_challenge_method="S256",\n',
        "",
        f"{BY_PROVIDER}::test_the_request_carries_state_nonce_and_pkce_and_the_configured_address",
    ),
    "every login has the same verifier": Weakened(
        f"{OAUTH}/transaction.py",
        "nonce=nonce, verifier=verifier, next=to",
        'nonce=nonce, verifier="v" * len(verifier), next=to',
        f"{BY_PROVIDER}::test_a_code_of_another_login_is_refused",
    ),
    "next leads anywhere after a login by a provider": Weakened(
        *NEXT_ANYWHERE, f"{BY_PROVIDER}::test_the_login_leads_to_no_other_place"
    ),
    "a planted session is taken over by a login by a provider": Weakened(
        *PLANTED, f"{BY_PROVIDER}::test_the_session_is_a_new_one_whatever_the_browser_came_with"
    ),
    "an address that nobody verified counts": Weakened(
        f"{OAUTH}/claims.py",
        "return address(found) if proven else",
        "return address(found) if proven or found else",
        f"{BY_PROVIDER}::test_an_address_that_the_provider_has_not_proved_is_nobody_s",
    ),
    "a name is taken for a group": Weakened(
        f"{ACCESS}/grants.py",
        "return self.group(identity.groups) is not None",
        "return self.group((*identity.groups, identity.name.removeprefix('subject group:'))) is not None",
        f"{BY_PROVIDER}::test_a_group_counts_in_its_own_letters_and_no_name_is_taken_for_one",
    ),
    "who belongs is asked at the login alone": Weakened(
        f"{ACCESS}/admission.py",
        " and self.membership.admits(who)",
        "",
        f"{BY_PROVIDER}::test_without_roles_whom_auth_names_is_an_admin_and_nobody_else_comes_in",
    ),
    "what another provider said still counts": Weakened(
        f"{ACCESS}/admission.py",
        "self.membership.mark == mark",
        "self.membership.mark",
        f"{BY_PROVIDER}::test_a_provider_s_session_is_over_where_another_provider_is_configured",
    ),
    "userinfo of anybody is taken": Weakened(
        f"{OAUTH}/openid.py",
        'or body.get("sub") != subject',
        "",
        f"{NAMED}::test_okta_s_userinfo_must_be_of_the_same_user",
    ),
    "a token outlives its maker's membership": Weakened(
        f"{ACCESS}/tokens.py",
        " if self._admission.stands(who, known.mark) else None",
        "",
        f"{BY_PROVIDER}::test_api_tokens_are_made_and_used_by_those_who_came_by_the_provider",
    ),
}
