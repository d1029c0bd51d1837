"""Sign-in, and the token that a command of the user prints."""
