"""The delivery of one article to its readers, and its withdrawal."""
