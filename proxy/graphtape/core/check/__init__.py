"""What Graph doesn't have: operations, query options, properties, members of enums."""
