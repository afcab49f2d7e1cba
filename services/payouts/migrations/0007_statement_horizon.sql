-- Statements are read page by page, oldest first, so nothing may come to lie before what was shown.
-- A transfer's time is therefore that of its posting and later than that of all that was posted
-- before it, whatever the clock says (it may have been set back, or be another server's). And
-- whoever posts says so first, by a lock that everybody can see and that ends with the transaction:
-- its key is a time before which this transaction posts nothing.

CREATE INDEX transfer_by_time ON transfer (create_time);

CREATE OR REPLACE FUNCTION stamp_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In this order: who does not see the lock yet has shown nothing that this does not see.
    PERFORM pg_advisory_xact_lock_shared(
        (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint);
    NEW.xact_id := pg_current_xact_id();
    NEW.create_time := greatest(
        clock_timestamp(), transaction_timestamp(),
        (SELECT max(create_time) + interval '1 microsecond' FROM transfer));
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION refuse_late_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The time as well: a restored database counts its transactions anew.
    SELECT create_time INTO NEW.create_time FROM transfer WHERE id = NEW.transfer_id
        AND xact_id = pg_current_xact_id() AND create_time >= transaction_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'transfer % is closed: no entry can be added', NEW.transfer_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- `until_time`: up to when statements are complete for good: the latest posting, but nothing from
-- `posting_since` on, which is when the oldest transaction began that still posts. What is read up to
-- it is read by a statement of its own, begun after this one: whoever ended before this looked for
-- locks is seen there.
CREATE VIEW statement_horizon AS
SELECT least((SELECT max(create_time) FROM transfer),
             posting.since - interval '1 microsecond') AS until_time,
       posting.since AS posting_since,
       clock_timestamp() AS look_time
  FROM (SELECT min(timestamptz 'epoch' + ((classid::bigint << 32) | objid::bigint)
                                         * interval '1 microsecond') AS since
          FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           -- Keys that are microseconds: those made of 32 bits have none of these set, or all.
           AND classid::bigint BETWEEN 1 AND 4294967294) AS posting;
