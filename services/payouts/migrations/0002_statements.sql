-- Statements read one owner's entries by time, from any point on and to any point: an entry has its
-- transfer's time as well, so that one index holds both, and the sums before a page are read from
-- that index alone.

ALTER TABLE entry ADD COLUMN create_time timestamptz NOT NULL DEFAULT transaction_timestamp();

-- What was posted before gets the time it was posted at: the only change that entries ever see.
ALTER TABLE entry DISABLE TRIGGER entry_is_final;
UPDATE entry SET create_time = transfer.create_time FROM transfer WHERE transfer.id = transfer_id;
ALTER TABLE entry ENABLE TRIGGER entry_is_final;

CREATE OR REPLACE FUNCTION refuse_late_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The time as well: a restored database counts its transactions anew.
    PERFORM FROM transfer WHERE id = NEW.transfer_id
        AND xact_id = pg_current_xact_id() AND create_time = transaction_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'transfer % is closed: no entry can be added', NEW.transfer_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.create_time := transaction_timestamp();
    RETURN NEW;
END $$;

CREATE INDEX entry_by_owner_and_time ON entry (owner, create_time, transfer_id)
    INCLUDE (currency, kind, amount_minor);
