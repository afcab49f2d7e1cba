-- Uploads and media objects.

-- An upload and the media object that it becomes: one row, one id.
CREATE TABLE media_object (
    id                     text PRIMARY KEY,
    owner                  text        NOT NULL,
    purpose                text        NOT NULL CHECK (purpose IN ('BANNER', 'IMAGE', 'VIDEO')),
    state                  text        NOT NULL CHECK (state IN ('PENDING', 'ACCEPTED', 'REJECTED')),
    announced_size_bytes   bigint      NOT NULL CHECK (announced_size_bytes > 0),
    -- NULL for an image that is uploaded by a form (a POST policy): its content is not known before.
    announced_sha256       text,
    announced_content_type text        NOT NULL,
    -- The client that a video was made on, which decides its limits (R88).
    client                 text        CHECK (client IN ('DESKTOP', 'APP')),
    rejections             jsonb       NOT NULL DEFAULT '[]',
    -- Of the accepted bytes; their key in the accepted bucket is derived from sha256.
    size_bytes             bigint,
    sha256                 text,
    content_type           text,
    width                  integer,
    height                 integer,
    -- Of a video.
    duration               interval,
    -- The 64 bits of an image's perceptual hash, as a signed number.
    dhash                  bigint      CHECK (dhash IS NULL OR state = 'ACCEPTED'),
    -- The accepted image of another creator that this one resembles.
    resembled              text        REFERENCES media_object
                                       CHECK (resembled IS NULL OR dhash IS NOT NULL),
    -- Whether an accepted banner has text in it (R65); NULL while that is unknown.
    has_text               boolean,
    create_time            timestamptz NOT NULL,
    expire_time            timestamptz NOT NULL,
    finish_time            timestamptz,
    -- When quarantine is cleared of this upload, whatever its state: an hour after expire_time. A
    -- presigned URL is renewed on request until expire_time, so bytes may arrive until then, even
    -- after the verdict. NULL once cleared.
    sweep_time             timestamptz,
    CHECK ((state = 'ACCEPTED')
           = (num_nulls(size_bytes, sha256, content_type, width, height) = 0)),
    CHECK ((state = 'REJECTED') = (rejections <> '[]')),
    CHECK ((state = 'PENDING') = (finish_time IS NULL)),
    CHECK ((purpose = 'VIDEO') = (client IS NOT NULL)),
    CHECK (purpose <> 'VIDEO' OR announced_sha256 IS NOT NULL),
    CHECK ((state = 'ACCEPTED' AND purpose = 'VIDEO') = (duration IS NOT NULL))
);

CREATE INDEX media_object_to_sweep ON media_object (sweep_time) WHERE sweep_time IS NOT NULL;
-- For quotas.
CREATE INDEX media_object_by_owner ON media_object (owner, create_time);
-- The search for similar images scans the whole index.
CREATE INDEX media_object_by_dhash ON media_object (dhash) WHERE dhash IS NOT NULL;

-- Smaller copies of an accepted image or of a video's poster frame; the image itself where it is
-- small enough.
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

-- An accepted object is kept for as long as any row here refers to it.
CREATE TABLE hold (
    media_object text        NOT NULL REFERENCES media_object,
    holder       text        NOT NULL,
    -- The brand that may read the object because of this hold.
    brand_id     text,
    create_time  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (media_object, holder)
);

-- A revision's holds are copied for each holder of the revision.
CREATE INDEX hold_by_holder ON hold (holder);

-- Articles: drafts, and the revisions sealed from them.

CREATE TABLE article (
    id                 text PRIMARY KEY,
    creator_id         text        NOT NULL,
    -- The assignment that the article is written for, and its brand and coupons, read once.
    assignment_id      text,
    assignment_context jsonb,
    version            bigint      NOT NULL DEFAULT 1,
    -- NULL once the draft was deleted. The row stays, so that a repeated request does not create it
    -- anew.
    content            jsonb,
    -- Apart from content: lists do not read them, and they may take megabytes.
    blocks             jsonb,
    -- Bytes of the draft's JSON; 0 once it was deleted.
    size_bytes         bigint      NOT NULL GENERATED ALWAYS AS (
        coalesce(octet_length(content::text) + octet_length(blocks::text), 0)
    ) STORED,
    latest_revision_id text,
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    CHECK ((assignment_id IS NULL) = (assignment_context IS NULL)),
    CHECK ((content IS NULL) = (blocks IS NULL)),
    CHECK (latest_revision_id IS NULL OR content IS NOT NULL)
);

CREATE INDEX article_by_time ON article (create_time DESC, id DESC) WHERE content IS NOT NULL;
CREATE INDEX article_by_creator ON article (creator_id, create_time DESC, id DESC)
    WHERE content IS NOT NULL;
CREATE INDEX article_by_assignment ON article (assignment_id, create_time DESC, id DESC)
    WHERE content IS NOT NULL;

-- The result of each request that changed an article. The response to a repeated request is rebuilt
-- from this row and from the request itself, which may take megabytes.
CREATE TABLE article_change (
    id                 text PRIMARY KEY,
    request_sha256     text        NOT NULL,
    article_id         text        NOT NULL REFERENCES article,
    version            bigint      NOT NULL,
    latest_revision_id text,
    change_time        timestamptz NOT NULL
);

-- For the removal of old rows.
CREATE INDEX article_change_by_time ON article_change (change_time);

-- What was delivered or published: never changed, never deleted.
CREATE TABLE article_revision (
    article_id text        NOT NULL REFERENCES article,
    id         text        NOT NULL,
    creator_id text        NOT NULL,
    content    jsonb       NOT NULL,
    blocks     jsonb       NOT NULL,
    products   jsonb       NOT NULL,
    size_bytes bigint      NOT NULL GENERATED ALWAYS AS (
        octet_length(content::text) + octet_length(blocks::text)
    ) STORED,
    seal_time  timestamptz NOT NULL,
    PRIMARY KEY (article_id, id)
);

-- For quotas.
CREATE INDEX article_revision_by_creator ON article_revision (creator_id, seal_time);

-- Who needs a revision, and the brand that may read it because of that.
CREATE TABLE article_revision_hold (
    article_id  text        NOT NULL,
    revision_id text        NOT NULL,
    holder      text        NOT NULL,
    brand_id    text        NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (article_id, revision_id, holder),
    FOREIGN KEY (article_id, revision_id) REFERENCES article_revision
);

-- Publications, and placements of them.

CREATE TABLE publication (
    id                      text        PRIMARY KEY,
    article_id              text        NOT NULL,
    revision_id             text        NOT NULL,
    channel                 text        NOT NULL CHECK (channel IN ('FEED', 'FACEBOOK', 'INSTAGRAM',
                                                            'PINTEREST', 'VK', 'X')),
    creator_id              text        NOT NULL,
    brand_id                text        NOT NULL,
    assignment_id           text        NOT NULL,
    state                   text        NOT NULL DEFAULT 'PENDING'
                                        CHECK (state IN ('PENDING', 'PUBLISHED', 'WITHDRAWN')),
    url                     text        NOT NULL DEFAULT '',
    request_time            timestamptz NOT NULL,
    due_time                timestamptz NOT NULL,
    publish_time            timestamptz,
    is_overdue              boolean     NOT NULL DEFAULT false,
    withdraw_reason         text        NOT NULL DEFAULT '',
    withdraw_command        text        NOT NULL DEFAULT '',
    -- Whether the workflows were started that publish it, and that withdraw it.
    has_delivery_workflow   boolean     NOT NULL DEFAULT false,
    has_withdrawal_workflow boolean     NOT NULL DEFAULT false,
    FOREIGN KEY (article_id, revision_id) REFERENCES article_revision,
    -- An article is published once on each channel.
    UNIQUE (article_id, channel),
    CHECK ((publish_time IS NULL) = (url = '')),
    CHECK (state <> 'PENDING' OR publish_time IS NULL),
    CHECK (state <> 'PUBLISHED' OR publish_time IS NOT NULL),
    CHECK ((state = 'WITHDRAWN') = (withdraw_command <> ''))
);

CREATE INDEX publication_by_time ON publication (request_time DESC, id DESC);
CREATE INDEX publication_by_creator ON publication (creator_id, request_time DESC, id DESC);
CREATE INDEX publication_by_brand ON publication (brand_id, request_time DESC, id DESC)
    WHERE brand_id <> '';
CREATE INDEX publication_overdue ON publication (request_time DESC, id DESC) WHERE is_overdue;
CREATE INDEX publication_pending ON publication (request_time, id) WHERE state = 'PENDING';
CREATE INDEX publication_without_workflow ON publication (id)
    WHERE state = 'PENDING' AND NOT has_delivery_workflow
       OR state = 'WITHDRAWN' AND NOT has_withdrawal_workflow;

-- Articles that were delivered or published.
CREATE VIEW article_in_use AS
SELECT article_id FROM article_revision_hold
UNION ALL
SELECT article_id FROM publication;

-- A slot's name as a range of one value, so that the exclusion constraint below can compare it next
-- to times. A GiST index over plain text needs the extension btree_gist, which a service's login may
-- not create.
CREATE TYPE slot_range AS RANGE (subtype = text, collation = "C");

CREATE TABLE placement (
    id             text PRIMARY KEY,
    slot           text        NOT NULL,
    publication_id text        NOT NULL REFERENCES publication,
    start_time     timestamptz NOT NULL,
    end_time       timestamptz NOT NULL CHECK (end_time > start_time),
    granted_by     text        NOT NULL,
    create_time    timestamptz NOT NULL,
    cancel_time    timestamptz,
    -- False for a placement that was cancelled before it began.
    is_shown       boolean     GENERATED ALWAYS AS (cancel_time IS NULL OR cancel_time > start_time)
                               STORED,
    -- Placements of one slot do not overlap.
    CONSTRAINT placement_overlap EXCLUDE USING gist (
        slot_range(slot, slot, '[]') WITH &&,
        tstzrange(start_time, end_time) WITH &&
    ) WHERE (is_shown)
);

CREATE INDEX placement_by_time ON placement (start_time, id);
CREATE INDEX placement_by_slot ON placement (slot, start_time, id);
CREATE INDEX placement_by_publication ON placement (publication_id);
