"""Long trials of what docs/reliability.md promises: `make soak`. Not collected by `make test`,
which tries the same with small numbers."""
