"""Articles: drafts, what is wrong with them, and their sealed revisions."""
