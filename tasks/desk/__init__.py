"""What the office's own pages show and keep: made of the lake and the register, without HTTP."""
