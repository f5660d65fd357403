"""Settings of every test: hypothesis is deterministic and untimed."""

from hypothesis import settings

settings.register_profile("project", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("project")
