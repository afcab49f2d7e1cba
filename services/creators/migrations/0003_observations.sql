-- What platforms observed last of each account that a creator has shown.
CREATE TABLE observation (
    creator_id  text  NOT NULL REFERENCES creator (id),
    account_key text  NOT NULL,
    statistics  jsonb NOT NULL,
    PRIMARY KEY (creator_id, account_key)
);

-- Counts that are not those of the application were observed.
UPDATE creator
   SET statistics = statistics || jsonb_build_object(
           'source',
           CASE WHEN statistics -> 'post_count' = account -> 'post_count'
                 AND statistics -> 'follower_count' = account -> 'follower_count'
                THEN 'DECLARED' ELSE 'OBSERVED' END)
 WHERE statistics IS NOT NULL;

INSERT INTO observation (creator_id, account_key, statistics)
SELECT id,
       concat(account ->> 'account_class', ' ', lower(ltrim(btrim(account ->> 'handle'), '@'))),
       statistics
  FROM creator
 WHERE statistics ->> 'source' = 'OBSERVED';
