"""Who works here: persons, how they sign in, their one-time codes, and the log of what they did."""
