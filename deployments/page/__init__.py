"""The port: who may come in, and this project's own pages beside Prefect's."""
