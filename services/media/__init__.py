"""Media: uploads, their validation, and the accepted objects."""
