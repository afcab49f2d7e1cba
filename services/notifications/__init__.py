"""The notifications service: keeps notifications for their recipients to read."""
