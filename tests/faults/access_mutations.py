"""Each guard of access, taken away: what a named test must see. Run by `test_mutations.py`."""

from collections.abc import Mapping
from typing import NamedTuple

ACCESS = "api/flower_api/access"
LOGIN = "tests/web/test_login.py"


class Weakened(NamedTuple):
    """What stands in the file, what stands there instead, and the test that fails then."""

    file: str
    old: str
    new: str
    test: str


WEAKENED: Mapping[str, Weakened] = {
    "patterns fit a beginning (CVE-2022-30034)": Weakened(
        f"{ACCESS}/grants.py",
        're.fullmatch("[^@]*".join(parts), word.lower())',
        're.match("[^@]*".join(parts), word.lower())',
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
        f"{ACCESS}/entry.py",
        "        session = await self.sessions.begin(connection, identity, mark=mark)\n",
        "        session = await self.sessions.found(connection)\n"
        "        session = session or await self.sessions.begin(connection, identity, mark=mark)\n",
        f"{LOGIN}::test_a_cookie_that_somebody_slipped_in_is_not_the_session_after_the_login",
    ),
    "next leads anywhere": Weakened(
        f"{ACCESS}/destination.py",
        '    if odd or not wanted.startswith(home) or wanted.startswith("//"):\n        return home\n',
        '    if not wanted.startswith("/"):\n        return home\n',
        f"{LOGIN}::test_the_login_leads_to_no_other_place",
    ),
    "what a proxy forwards counts as this machine": Weakened(
        "api/flower_api/gate.py",
        "    if any(name in connection.headers for name in _FORWARDED) or not named_local",
        "    if not named_local",
        "tests/api/test_gate.py::test_a_proxy_on_this_machine_does_not_open_the_gate",
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
}
