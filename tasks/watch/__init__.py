"""What someone must be told: deadlines, the state of sources and runs, this machine."""
