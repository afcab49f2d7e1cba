-- The ledger: double entry, in minor units. The database itself refuses what must never be, so
-- that no defect of the program can post it. The chart of accounts is in services/payouts/ledger/postings.py.

-- A brand's accounts carry their balance, so that it can be refused to fall below zero: a posting
-- locks the row, and concurrent ones take turns. The other accounts are only ever summed up, since
-- every payout posts to them and would otherwise queue for one row.
CREATE TABLE account (
    owner         text,
    kind          text,
    currency      text CHECK (currency ~ '^[A-Z]{3}$'),
    balance_minor bigint,
    PRIMARY KEY (owner, kind, currency),
    CHECK ((owner LIKE 'brands/%') = (balance_minor IS NOT NULL)),
    CONSTRAINT account_is_not_overdrawn CHECK (balance_minor >= 0)
);

CREATE TABLE payout (
    id                    text PRIMARY KEY,
    brand                 text        NOT NULL,
    creator               text        NOT NULL,
    currency              text        NOT NULL,
    -- What was asked for at first; a repeated reservation is compared with it.
    reserved_amount_minor bigint      NOT NULL CHECK (reserved_amount_minor > 0),
    amount_minor          bigint      NOT NULL CHECK (amount_minor > 0),
    create_time           timestamptz NOT NULL,
    CHECK (amount_minor <= reserved_amount_minor)
);

CREATE INDEX payout_by_time ON payout (create_time, id);
CREATE INDEX payout_by_brand ON payout (brand, create_time, id);
CREATE INDEX payout_by_creator ON payout (creator, create_time, id);

CREATE TABLE attempt (
    payout_id         text REFERENCES payout,
    number            integer CHECK (number > 0),
    state             text        NOT NULL CHECK (state IN
        ('SENDING', 'UNKNOWN', 'ACCEPTED', 'PAID', 'UNCLAIMED', 'FAILED', 'RETURNED', 'BLOCKED')),
    receiver          text        NOT NULL CHECK (receiver <> ''),
    amount_minor      bigint      NOT NULL CHECK (amount_minor > 0),
    sender_batch_id   text        NOT NULL UNIQUE,
    provider_batch_id text UNIQUE,
    provider_item_id  text UNIQUE,
    provider_state    text        NOT NULL DEFAULT '',
    error_code        text        NOT NULL DEFAULT '',
    -- Who may POST, and until when: each call that sends takes the next fence.
    fence             bigint      NOT NULL DEFAULT 0,
    lease_end_time    timestamptz,
    create_time       timestamptz NOT NULL,
    update_time       timestamptz NOT NULL,
    PRIMARY KEY (payout_id, number),
    CHECK (sender_batch_id = 'po-' || payout_id || '-' || number)
);

CREATE UNIQUE INDEX attempt_of_one_payout_lives_alone ON attempt (payout_id)
    WHERE state NOT IN ('FAILED', 'RETURNED');

CREATE TABLE transfer (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text        NOT NULL UNIQUE,
    body_sha256    bytea       NOT NULL,
    kind           text        NOT NULL
        CHECK (kind IN ('DEPOSIT', 'RESERVE', 'REDUCE', 'RELEASE', 'SETTLE', 'RETURN')),
    payout_id      text REFERENCES payout,
    attempt_number integer,
    create_time    timestamptz NOT NULL DEFAULT now(),
    xact_id        xid8        NOT NULL DEFAULT pg_current_xact_id(),
    FOREIGN KEY (payout_id, attempt_number) REFERENCES attempt,
    CHECK ((kind = 'DEPOSIT') = (payout_id IS NULL)),
    CHECK ((kind IN ('SETTLE', 'RETURN')) = (attempt_number IS NOT NULL))
);

CREATE INDEX transfer_by_payout ON transfer (payout_id, id);
CREATE UNIQUE INDEX transfer_settles_an_attempt_once ON transfer (payout_id, attempt_number)
    WHERE kind = 'SETTLE';
CREATE UNIQUE INDEX transfer_returns_an_attempt_once ON transfer (payout_id, attempt_number)
    WHERE kind = 'RETURN';

CREATE TABLE entry (
    transfer_id  bigint REFERENCES transfer,
    owner        text,
    kind         text,
    currency     text,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (transfer_id, owner, kind, currency),
    FOREIGN KEY (owner, kind, currency) REFERENCES account
);

CREATE INDEX entry_by_account ON entry (owner, kind, currency);

CREATE TABLE deposit (
    id                 text PRIMARY KEY,
    brand              text        NOT NULL,
    currency           text        NOT NULL,
    amount_minor       bigint      NOT NULL CHECK (amount_minor > 0),
    external_reference text UNIQUE,
    -- Confirmed is what is in the ledger.
    transfer_id        bigint UNIQUE REFERENCES transfer,
    confirm_time       timestamptz,
    create_time        timestamptz NOT NULL,
    CHECK (num_nulls(external_reference, transfer_id, confirm_time) IN (0, 3))
);

-- What is posted stays as it is. ---------------------------------------------------------------

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the ledger is only added to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER transfer_is_final BEFORE UPDATE OR DELETE ON transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_is_final BEFORE UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_is_kept BEFORE TRUNCATE ON transfer EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_is_kept BEFORE TRUNCATE ON entry EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_is_kept BEFORE DELETE ON account
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_are_kept BEFORE TRUNCATE ON account EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_is_kept BEFORE DELETE ON payout
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_is_kept BEFORE DELETE ON attempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.balance_minor := CASE WHEN NEW.owner LIKE 'brands/%' THEN 0 END;
    RETURN NEW;
END $$;

CREATE TRIGGER account_opens_empty BEFORE INSERT ON account
    FOR EACH ROW EXECUTE FUNCTION open_account();
-- Only `carry_balance`, itself a trigger, runs one deeper than a statement from outside does.
CREATE TRIGGER account_moves_by_entries BEFORE UPDATE ON account
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();

-- An entry belongs to the transaction that made its transfer. ------------------------------------

CREATE FUNCTION stamp_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xact_id := pg_current_xact_id();
    NEW.create_time := transaction_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER transfer_is_stamped BEFORE INSERT ON transfer
    FOR EACH ROW EXECUTE FUNCTION stamp_transfer();

CREATE FUNCTION refuse_late_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The time as well: a restored database counts its transactions anew.
    PERFORM FROM transfer WHERE id = NEW.transfer_id
        AND xact_id = pg_current_xact_id() AND create_time = transaction_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'transfer % is closed: no entry can be added', NEW.transfer_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER entry_is_in_time BEFORE INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION refuse_late_entry();

CREATE FUNCTION carry_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account SET balance_minor = balance_minor + NEW.amount_minor
     WHERE owner = NEW.owner AND kind = NEW.kind AND currency = NEW.currency
       AND balance_minor IS NOT NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER entry_moves_its_account AFTER INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION carry_balance();

-- A transfer balances, and does to its payout what its kind says. --------------------------------

CREATE FUNCTION check_balance(checked bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    legs integer;
    unbalanced text;
BEGIN
    SELECT sum(parts.count), string_agg(parts.currency, ', ') FILTER (WHERE parts.total <> 0)
      INTO legs, unbalanced
      FROM (SELECT e.currency, count(*) AS count, sum(e.amount_minor) AS total
              FROM entry e WHERE e.transfer_id = checked GROUP BY e.currency) AS parts;
    IF coalesce(legs, 0) < 2 THEN
        RAISE EXCEPTION 'transfer % has fewer than two entries', checked
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'transfer % does not sum to zero in %', checked, unbalanced
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$;

CREATE FUNCTION check_hold(checked transfer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held_minor bigint;
    sent_minor bigint;
    due_minor bigint;
BEGIN
    PERFORM FROM entry e JOIN payout p ON p.id = checked.payout_id
      WHERE e.transfer_id = checked.id AND e.owner LIKE 'brands/%'
        AND (e.owner, e.currency) <> ('brands/' || p.brand, p.currency);
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % touches funds that payout % is not paid from',
            checked.id, checked.payout_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT sum(e.amount_minor) INTO held_minor
      FROM transfer t JOIN entry e ON e.transfer_id = t.id
     WHERE t.payout_id = checked.payout_id AND t.id <= checked.id AND e.kind = 'reserved';
    -- Settling and releasing use up exactly what is reserved; nothing else leaves nothing.
    IF (checked.kind IN ('SETTLE', 'RELEASE')) <> (held_minor = 0) OR held_minor < 0 THEN
        RAISE EXCEPTION '% of payout % leaves % reserved', checked.kind, checked.payout_id, held_minor
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT coalesce(sum(amount_minor), 0) INTO sent_minor
      FROM entry WHERE transfer_id = checked.id AND owner = 'provider';
    SELECT CASE checked.kind WHEN 'SETTLE' THEN amount_minor ELSE -amount_minor END INTO due_minor
      FROM attempt WHERE payout_id = checked.payout_id AND number = checked.attempt_number;
    IF sent_minor <> coalesce(due_minor, 0) THEN
        RAISE EXCEPTION '% of payout % pays out %', checked.kind, checked.payout_id, sent_minor
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$;

CREATE FUNCTION check_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_balance(NEW.id);
    IF NEW.payout_id IS NOT NULL THEN
        PERFORM check_hold(NEW);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_balance(NEW.transfer_id);
    RETURN NULL;
END $$;

-- At commit, when all entries are there. The entries check too: constraints that were made
-- immediate for a moment would otherwise have looked before the last one came.
CREATE CONSTRAINT TRIGGER transfer_is_sound AFTER INSERT ON transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transfer();
CREATE CONSTRAINT TRIGGER entry_is_sound AFTER INSERT ON entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry();

-- Payouts and attempts. --------------------------------------------------------------------------

CREATE FUNCTION check_payout_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.brand, NEW.creator, NEW.currency, NEW.reserved_amount_minor, NEW.create_time)
       <> (OLD.id, OLD.brand, OLD.creator, OLD.currency, OLD.reserved_amount_minor, OLD.create_time)
       OR NEW.amount_minor > OLD.amount_minor THEN
        RAISE EXCEPTION 'payout % can only be lowered', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM FROM attempt WHERE payout_id = OLD.id AND state NOT IN ('FAILED', 'RETURNED');
    IF FOUND THEN
        RAISE EXCEPTION 'payout % is under way', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payout_is_only_lowered BEFORE UPDATE ON payout
    FOR EACH ROW EXECUTE FUNCTION check_payout_change();

CREATE FUNCTION check_new_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    due_minor bigint;
    held_minor bigint;
BEGIN
    SELECT p.amount_minor INTO due_minor FROM payout p WHERE p.id = NEW.payout_id FOR UPDATE;
    SELECT coalesce(sum(e.amount_minor), 0) INTO held_minor
      FROM transfer t JOIN entry e ON e.transfer_id = t.id
     WHERE t.payout_id = NEW.payout_id AND e.kind = 'reserved';
    IF NEW.amount_minor <> due_minor OR held_minor < due_minor THEN
        RAISE EXCEPTION 'attempt of payout % is not what is reserved', NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM FROM transfer t WHERE t.payout_id = NEW.payout_id AND t.kind = 'SETTLE';
    IF FOUND THEN
        RAISE EXCEPTION 'payout % was paid before', NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.number <> 1 + (SELECT count(*) FROM attempt WHERE payout_id = NEW.payout_id) THEN
        RAISE EXCEPTION 'attempt % of payout % is out of turn', NEW.number, NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_is_due BEFORE INSERT ON attempt
    FOR EACH ROW EXECUTE FUNCTION check_new_attempt();

CREATE FUNCTION check_attempt_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.payout_id, NEW.number, NEW.receiver, NEW.amount_minor, NEW.sender_batch_id)
       <> (OLD.payout_id, OLD.number, OLD.receiver, OLD.amount_minor, OLD.sender_batch_id)
       OR OLD.provider_batch_id <> NEW.provider_batch_id
       OR (OLD.state IN ('FAILED', 'RETURNED') AND NEW.state <> OLD.state)
       OR (OLD.state = 'PAID' AND NEW.state NOT IN ('PAID', 'RETURNED'))
       OR NEW.fence < OLD.fence THEN
        RAISE EXCEPTION 'attempt % of payout % cannot be changed so', OLD.number, OLD.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_goes_forward BEFORE UPDATE ON attempt
    FOR EACH ROW EXECUTE FUNCTION check_attempt_change();

CREATE FUNCTION check_attempt_is_booked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now_state text;
    settled integer;
    returned integer;
BEGIN
    SELECT state INTO now_state FROM attempt
     WHERE payout_id = NEW.payout_id AND number = NEW.attempt_number;
    SELECT count(*) FILTER (WHERE kind = 'SETTLE'), count(*) FILTER (WHERE kind = 'RETURN')
      INTO settled, returned FROM transfer
     WHERE payout_id = NEW.payout_id AND attempt_number = NEW.attempt_number;
    IF (now_state = 'PAID') <> (settled > returned) OR returned > settled
       OR (returned > 0 AND now_state <> 'RETURNED') THEN
        RAISE EXCEPTION 'attempt % of payout % is % and the ledger says otherwise',
            NEW.attempt_number, NEW.payout_id, now_state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION check_attempt_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_settled boolean;
BEGIN
    SELECT count(*) FILTER (WHERE kind = 'SETTLE') > count(*) FILTER (WHERE kind = 'RETURN')
      INTO is_settled FROM transfer
     WHERE payout_id = NEW.payout_id AND attempt_number = NEW.number;
    IF is_settled <> (SELECT state = 'PAID' FROM attempt
                       WHERE payout_id = NEW.payout_id AND number = NEW.number) THEN
        RAISE EXCEPTION 'attempt % of payout % is not what the ledger says', NEW.number, NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transfer_matches_its_attempt AFTER INSERT ON transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.attempt_number IS NOT NULL)
    EXECUTE FUNCTION check_attempt_is_booked();
CREATE CONSTRAINT TRIGGER attempt_matches_the_ledger AFTER INSERT OR UPDATE ON attempt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_attempt_state();

-- Where a payout's money is: out of its attempts and the ledger, and kept nowhere else. ----------

CREATE VIEW payout_now AS
SELECT p.*, money.held_minor, money.fee_minor, money.was_settled,
       CASE WHEN money.held_minor = 0 AND money.paid_minor > 0 THEN 'PAID'
            WHEN money.held_minor = 0 THEN 'RELEASED'
            WHEN latest.state IS NULL THEN 'RESERVED'
            WHEN latest.state IN ('FAILED', 'RETURNED') THEN 'FAILED'
            WHEN latest.state IN ('SENDING', 'UNKNOWN') THEN 'SENDING'
            -- Stopped before the provider was known to have it.
            WHEN latest.provider_batch_id IS NULL THEN 'SENDING'
            ELSE 'SENT' END AS state,
       greatest(p.create_time, money.last_time, latest.update_time) AS update_time
  FROM payout p
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'reserved'), 0)::bigint
                  AS held_minor,
              coalesce(sum(e.amount_minor) FILTER (WHERE e.owner = 'provider'), 0)::bigint
                  AS paid_minor,
              sum(e.amount_minor) FILTER (WHERE e.owner = 'fees' AND e.currency = p.currency)::bigint
                  AS fee_minor,
              coalesce(bool_or(t.kind = 'SETTLE'), false) AS was_settled,
              max(t.create_time) AS last_time
         FROM transfer t JOIN entry e ON e.transfer_id = t.id
        WHERE t.payout_id = p.id) AS money
  LEFT JOIN LATERAL (
       SELECT a.state, a.provider_batch_id, a.update_time FROM attempt a
        WHERE a.payout_id = p.id ORDER BY a.number DESC LIMIT 1) AS latest ON true;
