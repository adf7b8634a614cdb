"""The dispatcher: everything that leaves, leaves through here; paced and accounted for."""
