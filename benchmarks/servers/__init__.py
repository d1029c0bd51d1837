"""What is measured beside Graphtape, each a process of its own."""
