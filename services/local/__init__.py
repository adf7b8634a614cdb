"""Everything on one machine: PostgreSQL out of a wheel, and a supervisor for what runs on it."""
