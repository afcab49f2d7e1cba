-- Bank transfers that operators make and confirm, and what decisions must tell to be made once and to
-- allow no more than was meant.

-- The provider MANUAL: what it was ordered to pay, and what a person said became of it.
CREATE TABLE bank_transfer (
    sender_batch_id    text PRIMARY KEY,
    receiver           text        NOT NULL CHECK (receiver <> ''),
    currency           text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount_minor       bigint      NOT NULL CHECK (amount_minor > 0),
    state              text        NOT NULL DEFAULT 'ORDERED'
        CHECK (state IN ('ORDERED', 'CONFIRMED', 'REJECTED')),
    -- The bank's; of a transfer that was made.
    external_reference text UNIQUE CHECK (external_reference <> ''),
    fee_minor          bigint CHECK (fee_minor >= 0),
    order_time         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it was confirmed or rejected.
    end_time           timestamptz,
    CHECK (num_nonnulls(external_reference, fee_minor) = CASE state WHEN 'CONFIRMED' THEN 2 ELSE 0 END),
    CHECK ((state = 'ORDERED') = (end_time IS NULL))
);

CREATE INDEX bank_transfer_by_end ON bank_transfer (end_time) WHERE state = 'CONFIRMED';

CREATE FUNCTION check_bank_transfer_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'ORDERED'
       OR (NEW.sender_batch_id, NEW.receiver, NEW.currency, NEW.amount_minor, NEW.order_time)
       <> (OLD.sender_batch_id, OLD.receiver, OLD.currency, OLD.amount_minor, OLD.order_time) THEN
        RAISE EXCEPTION 'bank transfer % is %: it cannot be changed so', OLD.sender_batch_id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Under a lock that a report waits for, so that it misses none before its end.
    PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema() || '.bank_transfer'));
    NEW.end_time := CASE WHEN NEW.state <> 'ORDERED' THEN clock_timestamp() END;
    RETURN NEW;
END $$;

CREATE TRIGGER bank_transfer_ends_once BEFORE UPDATE ON bank_transfer
    FOR EACH ROW EXECUTE FUNCTION check_bank_transfer_change();
CREATE TRIGGER bank_transfer_is_kept BEFORE DELETE ON bank_transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_transfers_are_kept BEFORE TRUNCATE ON bank_transfer
    EXECUTE FUNCTION refuse_change();

ALTER TABLE decision
    -- By which a command that crosses the network finds that it was decided before.
    ADD COLUMN request_id uuid,
    -- Of RETRY: that the money had been paid and had come back, and is to be paid again.
    ADD COLUMN pays_again boolean NOT NULL DEFAULT false CHECK (kind = 'RETRY' OR NOT pays_again),
    -- Of WRITE_OFF: who keeps what was reserved.
    ADD COLUMN beneficiary text CHECK (beneficiary IN ('BRAND', 'PLATFORM')),
    -- Of RESOLVE: what became of the attempt.
    ADD COLUMN outcome text CHECK (outcome IN ('NOT_PAID', 'FOUND')),
    ADD CONSTRAINT decision_names_beneficiary
        CHECK ((kind = 'WRITE_OFF') = (beneficiary IS NOT NULL)),
    ADD CONSTRAINT decision_names_outcome CHECK ((kind = 'RESOLVE') = (outcome IS NOT NULL));

CREATE UNIQUE INDEX decision_of_one_request ON decision (request_id, kind, actor);

-- Of all attempts few are under way, and it is these that operators look for.
CREATE INDEX attempt_under_way ON attempt (state)
    WHERE state IN ('SENDING', 'UNKNOWN', 'ACCEPTED', 'UNCLAIMED', 'BLOCKED');

-- A decision to pay what had never arrived is none to pay what came back later.
CREATE OR REPLACE FUNCTION check_new_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    due_minor bigint;
    held_minor bigint;
    settled integer;
    returned integer;
BEGIN
    SELECT p.amount_minor INTO due_minor FROM payout p WHERE p.id = NEW.payout_id FOR UPDATE;
    SELECT coalesce(sum(e.amount_minor), 0) INTO held_minor
      FROM transfer t JOIN entry e ON e.transfer_id = t.id
     WHERE t.payout_id = NEW.payout_id AND e.kind = 'reserved';
    IF NEW.amount_minor <> due_minor OR held_minor < due_minor THEN
        RAISE EXCEPTION 'attempt of payout % is not what is reserved', NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT count(*) FILTER (WHERE kind = 'SETTLE'), count(*) FILTER (WHERE kind = 'RETURN')
      INTO settled, returned FROM transfer WHERE payout_id = NEW.payout_id;
    PERFORM FROM decision WHERE payout_id = NEW.payout_id AND kind = 'RETRY'
                            AND attempt_number = NEW.number AND pays_again;
    IF settled > returned OR (settled > 0 AND NOT FOUND) THEN
        RAISE EXCEPTION 'payout % was paid before', NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.number <> 1 + (SELECT count(*) FROM attempt WHERE payout_id = NEW.payout_id) THEN
        RAISE EXCEPTION 'attempt % of payout % is out of turn', NEW.number, NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- What is held for a payout is not given away while an attempt may still need it.
CREATE FUNCTION check_hold_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM payout WHERE id = NEW.payout_id FOR UPDATE;
    PERFORM FROM attempt WHERE payout_id = NEW.payout_id AND state NOT IN ('FAILED', 'RETURNED');
    IF FOUND THEN
        RAISE EXCEPTION '% of payout % while an attempt is under way', NEW.kind, NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER transfer_leaves_what_is_under_way BEFORE INSERT ON transfer
    FOR EACH ROW WHEN (NEW.kind IN ('REDUCE', 'RELEASE', 'WRITE_OFF'))
    EXECUTE FUNCTION check_hold_is_free();
