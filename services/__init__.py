"""The services: gateway lets in, consent remembers, dispatcher delivers."""
