"""Every statement that the gateway sends to PostgreSQL, one file per noun."""
