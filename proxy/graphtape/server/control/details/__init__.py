"""What the control API tells of one entry, one tape, the scenarios and the cassettes."""
