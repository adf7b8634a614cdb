"""The messengers Permesso speaks: one folder each, declared in `registry`."""
