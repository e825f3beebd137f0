"""The services that tests ask for by fixture name; each file of tests/services says what it gives."""

pytest_plugins = (
    "tests.services.postgres",
    "tests.services.redis",
    "tests.services.rabbitmq",
)
