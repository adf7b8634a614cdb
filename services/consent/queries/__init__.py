"""Every statement the registry sends to PostgreSQL, by the noun it is about."""
