"""What an engineer uses to connect a system: `nianbao source new`, `fields`, `check`, and the
reference of the source file."""
