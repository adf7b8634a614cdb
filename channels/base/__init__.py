"""What every channel has in common."""
