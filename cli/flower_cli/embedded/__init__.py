"""Private servers on one machine: PostgreSQL and a broker, which live and die with their owner."""
