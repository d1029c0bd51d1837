"""The offline authority: sign-in answered as Entra ID does, with tokens that are clearly fake."""
