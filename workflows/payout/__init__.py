"""The payment of one reward."""
