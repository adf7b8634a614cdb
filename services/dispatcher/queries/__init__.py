"""Every statement the dispatcher sends to PostgreSQL, by the noun it is about."""
