"""gRPC: server, client channels, access tables and the interceptor chain."""
