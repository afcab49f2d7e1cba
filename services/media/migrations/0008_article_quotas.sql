-- What an article takes, in bytes of its JSON; nothing once it was thrown away.
ALTER TABLE article
    ADD COLUMN size_bytes bigint NOT NULL GENERATED ALWAYS AS (
        coalesce(octet_length(content::text) + octet_length(blocks::text), 0)
    ) STORED;

ALTER TABLE article_revision
    ADD COLUMN size_bytes bigint NOT NULL GENERATED ALWAYS AS (
        octet_length(content::text) + octet_length(blocks::text)
    ) STORED,
    ADD COLUMN creator_id text;

UPDATE article_revision
   SET creator_id = (SELECT creator_id FROM article WHERE article.id = article_id);

ALTER TABLE article_revision ALTER COLUMN creator_id SET NOT NULL;

-- What a creator had sealed within a month.
CREATE INDEX article_revision_by_creator ON article_revision (creator_id, seal_time);

-- Those that are old enough to be forgotten.
CREATE INDEX article_change_by_time ON article_change (change_time);

-- Of which something was delivered or published.
CREATE VIEW article_in_use AS
SELECT article_id FROM article_revision_hold
UNION ALL
SELECT article_id FROM publication;
