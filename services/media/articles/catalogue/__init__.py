"""The product catalogue of AliExpress.com."""
