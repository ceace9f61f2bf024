"""A city's own files: its organs, its names, the figures it published."""
