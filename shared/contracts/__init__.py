"""Types on the wire between the services, and between them and the outside. No behaviour."""
