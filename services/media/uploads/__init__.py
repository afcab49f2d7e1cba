"""Uploads, from the presigned URL to the media object that is kept."""
