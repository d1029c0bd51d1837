"""Change notifications: subscriptions, what they are told of, and how."""
