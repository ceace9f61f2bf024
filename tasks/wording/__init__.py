"""How Chinese is set where people read it, and what to write instead of a wrong entry."""
