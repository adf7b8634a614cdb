"""Consent remembers: who may be written to, by whom, on which channel, for what; with evidence."""
