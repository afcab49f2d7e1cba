CREATE TABLE media_object (
    id                     text PRIMARY KEY,
    owner                  text        NOT NULL,
    purpose                text        NOT NULL CHECK (purpose IN ('BANNER', 'IMAGE')),
    state                  text        NOT NULL CHECK (state IN ('PENDING', 'ACCEPTED', 'REJECTED')),
    announced_size_bytes   bigint      NOT NULL CHECK (announced_size_bytes > 0),
    announced_sha256       text        NOT NULL,
    announced_content_type text        NOT NULL,
    rejections             jsonb       NOT NULL DEFAULT '[]',
    -- Of the clean bytes; the key in the accepted bucket follows from sha256.
    size_bytes             bigint,
    sha256                 text,
    content_type           text,
    width                  integer,
    height                 integer,
    create_time            timestamptz NOT NULL,
    expire_time            timestamptz NOT NULL,
    finish_time            timestamptz,
    -- When quarantine must be looked at once more; no address to write there lives that long.
    sweep_time             timestamptz,
    CHECK ((state = 'ACCEPTED')
           = (num_nulls(size_bytes, sha256, content_type, width, height) = 0)),
    CHECK ((state = 'REJECTED') = (rejections <> '[]')),
    CHECK ((state = 'PENDING') = (finish_time IS NULL))
);

CREATE INDEX media_object_to_sweep ON media_object (sweep_time) WHERE sweep_time IS NOT NULL;

-- Who needs an accepted object; it is kept for as long as somebody does.
CREATE TABLE hold (
    media_object text        NOT NULL REFERENCES media_object,
    holder       text        NOT NULL,
    -- The brand that may see it for that.
    brand_id     text,
    create_time  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (media_object, holder)
);
