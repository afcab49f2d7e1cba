-- Left out by who posts a form: what arrives is what is judged.
ALTER TABLE media_object ALTER COLUMN announced_sha256 DROP NOT NULL;

ALTER TABLE media_object
    -- The 64 bits of the picture's fingerprint, as a signed number.
    ADD COLUMN dhash     bigint CHECK (dhash IS NULL OR state = 'ACCEPTED'),
    ADD COLUMN resembled text REFERENCES media_object CHECK (resembled IS NULL OR dhash IS NOT NULL);

-- What a creator uses of the quota.
CREATE INDEX media_object_by_owner ON media_object (owner, create_time);

-- All that a look for pictures that resemble one another reads; every one is looked at, in order.
CREATE INDEX media_object_by_dhash ON media_object (dhash, owner, finish_time, id)
 WHERE dhash IS NOT NULL;

-- Smaller copies of an accepted image, or the image itself where it is small enough.
CREATE TABLE rendition (
    media_object text    NOT NULL REFERENCES media_object,
    kind         text    NOT NULL CHECK (kind IN ('FEED', 'THUMBNAIL')),
    size_bytes   bigint  NOT NULL CHECK (size_bytes > 0),
    sha256       text    NOT NULL,
    content_type text    NOT NULL,
    width        integer NOT NULL CHECK (width > 0),
    height       integer NOT NULL CHECK (height > 0),
    PRIMARY KEY (media_object, kind)
);
