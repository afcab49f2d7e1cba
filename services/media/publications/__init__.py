"""Publications: delivery of sealed articles to their channels, placements, and withdrawal."""
