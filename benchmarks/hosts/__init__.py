"""Three machines on one: what docs/scale.md promises, tried as it is written there."""
