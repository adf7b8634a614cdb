"""The gateway lets in: brands' calls, platforms' webhooks, people's pages."""
