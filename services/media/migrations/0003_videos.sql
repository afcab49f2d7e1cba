-- A video is announced with the client that it is made on, and is kept with its length and a picture.
ALTER TABLE media_object
    DROP CONSTRAINT media_object_purpose_check,
    ADD CHECK (purpose IN ('BANNER', 'IMAGE', 'VIDEO')),
    ADD COLUMN client text CHECK (client IN ('DESKTOP', 'APP')),
    ADD CHECK ((purpose = 'VIDEO') = (client IS NOT NULL)),
    ADD COLUMN duration interval,
    -- The object of its poster frame in the accepted bucket, as `domain.StoredImage`.
    ADD COLUMN poster jsonb,
    ADD CHECK ((state = 'ACCEPTED' AND purpose = 'VIDEO')
               = (num_nulls(duration, poster) = 0));
