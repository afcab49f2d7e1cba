"""What stands in for AliExpress.com's own platform, for development and tests only.

The catalogue makes its products up, each always the same one:

    GET  /products/{item_id}   {"item_id", "title", "image_url", "price"}

There is no product whose number ends in 404; every other number of 6 to 20 digits is one. Nothing
is served at the addresses of their pictures.

The gateway to social networks sends nothing anywhere. It keeps what it was given and answers with
an address at which nothing is:

    POST /reposts/{id}         {"network", "url", "title", "text", "image_url"} → {"url"}
    GET  /reposts              {"reposts": [{"id", "network", …}]}, in order of their ids

The same id again gets the first answer; with another body it is a 409. Both calls need the bearer
token. A repost is on disk before it is answered, so a killed storefront forgets nothing.
"""
