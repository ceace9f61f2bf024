"""The runbooks. Telemetry is off and Prefect's home is set before Prefect is imported."""

from tasks.settings import Settings, quiet_environment

quiet_environment(Settings())
