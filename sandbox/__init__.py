"""The platforms' side, simulated: phones, a brand's server, faults, and a log of every call."""
