"""A substitute for AliExpress.com's own platform, for development and tests only.

The catalogue invents products; an id always gives the same one:

    GET  /products/{item_id}   {"item_id", "title", "image_url", "price"}

Ids that end in 404 do not exist; every other id of 6 to 20 digits does. The image URLs lead
nowhere.

The gateway to social networks sends nothing. It stores the posts and returns URLs that lead
nowhere:

    POST /reposts/{id}         {"network", "url", "title", "text", "image_url"} → {"url"}
    GET  /reposts              {"reposts": [{"id", "network", …}]}, in order of their ids

A repeated id gets the first response; with another body, 409. Both calls need the bearer token. A
repost is written to disk before the response, so that it survives a kill.
"""
