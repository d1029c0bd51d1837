"""Whether a run under one failure shows something to mend."""
