"""The media service: uploads, media objects, articles and publications."""
