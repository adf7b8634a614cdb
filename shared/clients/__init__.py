"""How the services call each other: typed, signed, repeated when that is safe."""
