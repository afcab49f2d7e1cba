-- A video is announced with the client that it is made on, and kept with its length; its renditions
-- are those of its poster frame.
ALTER TABLE media_object
    DROP CONSTRAINT media_object_purpose_check,
    ADD CHECK (purpose IN ('BANNER', 'IMAGE', 'VIDEO')),
    ADD COLUMN client text CHECK (client IN ('DESKTOP', 'APP')),
    ADD CHECK ((purpose = 'VIDEO') = (client IS NOT NULL)),
    ADD CHECK (purpose <> 'VIDEO' OR announced_sha256 IS NOT NULL),
    ADD COLUMN duration interval,
    ADD CHECK ((state = 'ACCEPTED' AND purpose = 'VIDEO') = (duration IS NOT NULL));
