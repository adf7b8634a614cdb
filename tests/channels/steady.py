"""Property tests on a busy machine: judged by what they find, never by how long they took."""

from hypothesis import HealthCheck, settings

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
