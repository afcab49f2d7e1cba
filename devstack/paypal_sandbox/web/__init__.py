"""HTTP: routes of PayPal's API, of the admin API and of the web pages, and their server."""
