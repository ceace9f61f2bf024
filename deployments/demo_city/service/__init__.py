"""The demo city's four vendor systems: their data, generated from a seed, and their services.

`running` (in `runner`) starts them in a process of their own and stops them again. Nothing
here is imported by the pipeline: it meets the demo city over HTTP only.
"""

from deployments.demo_city.service.runner import running

__all__ = ["running"]
