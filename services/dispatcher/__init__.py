"""The dispatcher: everything that leaves, leaves through here; paced, attempted once, accounted for."""
