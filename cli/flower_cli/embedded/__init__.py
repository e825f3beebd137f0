"""Private servers on one machine: PostgreSQL and a broker, which live and die with the process that owns them."""
