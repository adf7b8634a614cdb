"""Pages that are kept: they come whole, and need nothing of ours when they are opened later."""
