"""Graph's ways: clouds, links, paths, actions, batches, delta queries."""
