CREATE TABLE article (
    id                 text PRIMARY KEY,
    creator_id         text        NOT NULL,
    -- The assignment that it is written for, and what was read of it once.
    assignment_id      text,
    commission         jsonb,
    version            bigint      NOT NULL DEFAULT 1,
    -- None once it was thrown away: what is left only keeps a repeated request from making it anew.
    content            jsonb,
    -- Apart, since a list shows none, and they may be of megabytes.
    blocks             jsonb,
    latest_revision_id text,
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    CHECK ((assignment_id IS NULL) = (commission IS NULL)),
    CHECK ((content IS NULL) = (blocks IS NULL)),
    CHECK (latest_revision_id IS NULL OR content IS NOT NULL)
);

CREATE INDEX article_by_time ON article (create_time DESC, id DESC) WHERE content IS NOT NULL;
CREATE INDEX article_by_creator ON article (creator_id, create_time DESC, id DESC)
    WHERE content IS NOT NULL;
CREATE INDEX article_by_assignment ON article (assignment_id, create_time DESC, id DESC)
    WHERE content IS NOT NULL;

-- What a request made of an article: its first answer is told again from this and from the request
-- itself, which may be of megabytes.
CREATE TABLE article_change (
    id                 text PRIMARY KEY,
    request_sha256     text        NOT NULL,
    article_id         text        NOT NULL REFERENCES article,
    version            bigint      NOT NULL,
    latest_revision_id text,
    change_time        timestamptz NOT NULL
);

-- What was delivered or published. Nobody changes it, and it stays.
CREATE TABLE article_revision (
    article_id text        NOT NULL REFERENCES article,
    id         text        NOT NULL,
    content    jsonb       NOT NULL,
    blocks     jsonb       NOT NULL,
    products   jsonb       NOT NULL,
    seal_time  timestamptz NOT NULL,
    PRIMARY KEY (article_id, id)
);

-- Who needs a revision, and the brand that may see it for that.
CREATE TABLE article_revision_hold (
    article_id  text        NOT NULL,
    revision_id text        NOT NULL,
    holder      text        NOT NULL,
    brand_id    text        NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (article_id, revision_id, holder),
    FOREIGN KEY (article_id, revision_id) REFERENCES article_revision
);
