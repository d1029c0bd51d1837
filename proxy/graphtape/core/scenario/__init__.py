"""Rules that replace or bend answers: before a match, and after the answer."""
