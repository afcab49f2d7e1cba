"""PayPal: the Payouts API, transaction reports and webhooks."""
