"""Change notifications: subscriptions on the data port, and calls of the app that subscribed."""
