"""The services that tests ask for by fixture name; each file of tests/services says what it gives."""

pytest_plugins = (
    "tests.services.chromium",
    "tests.services.postgres",
    "tests.services.rabbitmq",
    "tests.services.redis",
    "tests.services.workers",
)
