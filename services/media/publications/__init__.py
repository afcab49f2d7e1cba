"""Publications: sealed articles on their way to readers, and the places they are shown in."""
