"""Replicas as they are deployed: processes, configured by variables and a file, with a real provider."""

from pathlib import Path

import httpx
import pytest
from tests.api import written
from tests.cli import trees
from tests.services import oidc_provider
from tests.waiting import eventually
from tests.web import by_provider

from flower_store.settings import StoreSettings

ACCOUNTS = {"olga": {"email": "olga@example.com", "email_verified": True, "groups": ["backend"]}}


@pytest.mark.slow
def test_a_login_that_one_replica_began_is_finished_by_another(database_url: str, directory: Path) -> None:
    written.into(StoreSettings(database_url=database_url), "default", [])
    secret = directory / "secret"
    secret.write_text(f"{oidc_provider.SECRET}\n")
    with oidc_provider.running(ACCOUNTS, [by_provider.REDIRECT]) as provider:
        variables = {
            "FLOWER_DATABASE_URL": database_url,
            "FLOWER_AUTH_PROVIDER": "oidc",
            "FLOWER_OIDC_ISSUER": provider.issuer,
            "FLOWER_OIDC_SCOPE": "openid email groups",
            "FLOWER_OAUTH2_KEY": oidc_provider.CLIENT,
            "FLOWER_OAUTH2_SECRET_FILE": str(secret),
            "FLOWER_OAUTH2_REDIRECT_URI": by_provider.REDIRECT,
            "FLOWER_ROLE": "operator=group:backend",
            "FLOWER_LOG_LEVEL": "debug",
        }
        with (
            trees.running("api", directory=directory, **variables) as one,
            trees.running("api", directory=directory, **variables) as other,
        ):
            eventually(lambda: one.answers() and other.answers(), within=trees.UP_SECONDS)
            with (
                httpx.Client(base_url=f"http://127.0.0.1:{one.port}") as first,
                httpx.Client(base_url=f"http://127.0.0.1:{other.port}") as second,
            ):
                back = by_provider.allowed(by_provider.begun(first), "olga")
                second.cookies = first.cookies
                entered = by_provider.come_back(second, back)
                first.cookies = second.cookies
                known = first.get("/api/v1/clusters").status_code
                closed = httpx.get(f"http://127.0.0.1:{one.port}/api/tasks").status_code
            said = one.output + other.output

    assert (entered.status_code, known, closed) == (303, 200, 401)
    assert oidc_provider.SECRET not in said
    assert httpx.URL(back).params["code"] not in said
