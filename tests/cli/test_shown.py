"""What `/api/v1/settings` tells: each setting of the process with its source, and no secret."""

from pathlib import Path

from tests.api import serving

from flower_api.settings import ApiSettings
from flower_cli import configuration, rooms, shown
from flower_cli.given import Given, Reading
from flower_cli.settings import LogSettings
from flower_store.settings import StoreSettings

MARKER = "s3cret-marker"


def test_settings_are_told_with_their_source_and_without_secrets(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "flower.toml"
    file.write_text('live_interval = "2s"\noidc_scope = "http://u:hidden-word@h"\n')
    environ = {"FLOWER_BASIC_AUTH": f"alice:{MARKER}", "FLOWER_READ_ONLY": "yes", "FLOWER_DB": "x", "FLOWER_RATE": "5"}
    gathered = configuration.gather(
        Reading({"port": Given("--port", "0")}),
        environ,
        file=str(file),
        known=rooms.known(),
        taken=rooms.known(),
    )
    configured = shown.of(gathered, ApiSettings, StoreSettings, LogSettings)

    with serving.client(
        StoreSettings(database_url=database_url), gathered.settings(ApiSettings), configured=configured
    ) as client:
        stranger = client.get("/api/v1/settings")
        answer = client.get("/api/v1/settings", auth=("alice", MARKER))

    told = {one["name"]: one for one in answer.json()["settings"]}
    assert (stranger.status_code, answer.status_code) == (401, 200)
    assert MARKER not in answer.text
    assert "hidden-word" not in answer.text
    assert told["port"] == {
        "name": "port", "section": "API and dashboard", "value": "0", "default": "5555", "source": "--port",
        "secret": False, "is_set": True, "meaning": "Port to listen on; 0 takes a free one.",
    }  # fmt: skip
    assert (told["read_only"]["value"], told["read_only"]["source"]) == ("true", "FLOWER_READ_ONLY")
    assert told["live_interval"]["value"] == "2s"
    assert str(file) in told["live_interval"]["source"]
    assert (told["url_prefix"]["value"], told["url_prefix"]["source"]) == (None, "default")
    secret = told["basic_auth"]
    assert (secret["secret"], secret["is_set"], secret["value"]) == (True, True, None)
    assert (told["database_url"]["is_set"], told["database_url"]["value"]) == (False, None)
    assert "log_level" in told
    assert "rate" not in told
    assert [one["source"] for one in answer.json()["ignored"]] == ["FLOWER_DB"]
