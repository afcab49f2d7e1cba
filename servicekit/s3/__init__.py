"""Object storage: any server that speaks S3."""
