"""Every documented failure at every call of a command, and which of them it survives."""
