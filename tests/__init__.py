"""The tests; each says in its docstring what a user would lose if it failed."""

import os

from hypothesis import HealthCheck, settings

# A busy machine is slow, not wrong: property tests are bounded by their number of examples and pytest's timeout.
# With SHP_SAME_EXAMPLES=1 they try the same examples each time, so that CI tells about the change, not about its luck.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=os.environ.get("SHP_SAME_EXAMPLES") == "1",
)
settings.load_profile("patient")
