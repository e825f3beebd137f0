"""The URL of RabbitMQ's management API, in every form that people write it."""

import pytest

from flower_collector import broker_address
from flower_collector.broker_address import Address
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("http://h:15672/api/", Address(host="h", port=15672, secure=False)),
        ("http://h:15672/api", Address(host="h", port=15672, secure=False)),
        ("http://h:15672", Address(host="h", port=15672, secure=False)),
        (" http://h:15672/ ", Address(host="h", port=15672, secure=False)),
        ("http://h:15672/api/shop", Address(host="h", port=15672, secure=False)),
        ("https://h", Address(host="h", port=443, secure=True)),
        ("https://h/rabbit/api/", Address(host="h", port=443, secure=True, path="/rabbit/api")),
        ("https://h/rabbit", Address(host="h", port=443, secure=True, path="/rabbit/api")),
        ("http://[::1]:15672/api/", Address(host="::1", port=15672, secure=False)),
        ("http://u:p%40ss@h/api", Address(host="h", port=80, secure=False, user="u", password="p@ss")),
        ("http://u@h/api", Address(host="h", port=80, secure=False, user="u")),
    ],
)
def test_every_form_of_the_url_means_the_same(url: str, meant: Address) -> None:
    assert broker_address.parse(url) == meant


@pytest.mark.parametrize(
    "url", ["h:15672", "amqp://h", "http://", "http:///api", "http://h:0", "http://h:99999", "[", "x"]
)
def test_what_is_no_such_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingError, match="broker_api") as told:
        CollectorSettings(broker="amqp://", broker_api=f"{url}?s3cret")

    assert "s3cret" not in str(told.value)


def test_an_address_for_the_log_has_no_password() -> None:
    assert str(broker_address.parse("https://u:s3cret@h/rabbit")) == "https://h:443/rabbit/api"
