"""The tests; each says in its docstring what a user would lose if it failed."""

from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong: property tests are bounded by their number of examples and pytest's timeout.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
