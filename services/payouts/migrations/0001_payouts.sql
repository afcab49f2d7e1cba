-- Payouts, and a double-entry ledger in minor units. Constraints and triggers refuse invalid
-- postings, so that no defect of the program can make one. The chart of accounts is in
-- services/payouts/ledger/postings.py.

-- Accounts of brands carry their balance, so that a constraint can keep it from falling below zero:
-- a posting locks the row, and concurrent postings are serialized. The balance of other accounts is
-- the sum of their entries, since every payout posts to them and would otherwise wait for one row.
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
    -- The amount first requested; a repeated reservation is compared with it.
    reserved_amount_minor bigint      NOT NULL CHECK (reserved_amount_minor > 0),
    amount_minor          bigint      NOT NULL CHECK (amount_minor > 0),
    create_time           timestamptz NOT NULL,
    CHECK (amount_minor <= reserved_amount_minor)
);

CREATE INDEX payout_by_time ON payout (create_time, id);
CREATE INDEX payout_by_brand ON payout (brand, create_time, id);
CREATE INDEX payout_by_creator ON payout (creator, create_time, id);

-- Filled by the service when it starts, from workflows/payout/providers.py.
CREATE TABLE provider (name text PRIMARY KEY);

CREATE TABLE attempt (
    payout_id         text REFERENCES payout,
    number            integer CHECK (number > 0),
    state             text        NOT NULL CHECK (state IN
        ('SENDING', 'UNKNOWN', 'ACCEPTED', 'PAID', 'UNCLAIMED', 'FAILED', 'RETURNED', 'BLOCKED')),
    receiver          text        NOT NULL CHECK (receiver <> ''),
    amount_minor      bigint      NOT NULL CHECK (amount_minor > 0),
    sender_batch_id   text        NOT NULL UNIQUE,
    provider          text        NOT NULL REFERENCES provider,
    provider_batch_id text,
    provider_item_id  text,
    -- Id of the money movement in the provider's reports.
    provider_transaction_id text,
    provider_state    text        NOT NULL DEFAULT '',
    error_code        text        NOT NULL DEFAULT '',
    -- Which sender may POST, and until when: each call that sends takes the next fence.
    fence             bigint      NOT NULL DEFAULT 0,
    lease_end_time    timestamptz,
    create_time       timestamptz NOT NULL,
    update_time       timestamptz NOT NULL,
    PRIMARY KEY (payout_id, number),
    CHECK (sender_batch_id = 'po-' || payout_id || '-' || number)
);

CREATE UNIQUE INDEX attempt_of_one_payout_is_open_alone ON attempt (payout_id)
    WHERE state NOT IN ('FAILED', 'RETURNED');

-- Ids are unique per provider: two providers may use the same one.
CREATE UNIQUE INDEX attempt_of_one_batch ON attempt (provider_batch_id, provider);
CREATE UNIQUE INDEX attempt_of_one_item ON attempt (provider_item_id, provider);
CREATE UNIQUE INDEX attempt_of_one_transaction ON attempt (provider, provider_transaction_id);

-- A small index: few attempts are open, and operators list those.
CREATE INDEX attempt_under_way ON attempt (state)
    WHERE state IN ('SENDING', 'UNKNOWN', 'ACCEPTED', 'UNCLAIMED', 'BLOCKED');

CREATE TABLE transfer (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text        NOT NULL UNIQUE,
    body_sha256    bytea       NOT NULL,
    kind           text        NOT NULL
        CHECK (kind IN
            ('DEPOSIT', 'RESERVE', 'REDUCE', 'RELEASE', 'SETTLE', 'RETURN', 'WRITE_OFF')),
    payout_id      text REFERENCES payout,
    attempt_number integer,
    create_time    timestamptz NOT NULL DEFAULT now(),
    xact_id        xid8        NOT NULL DEFAULT pg_current_xact_id(),
    FOREIGN KEY (payout_id, attempt_number) REFERENCES attempt,
    CHECK ((kind = 'DEPOSIT') = (payout_id IS NULL)),
    CHECK ((kind IN ('SETTLE', 'RETURN')) = (attempt_number IS NOT NULL))
);

CREATE INDEX transfer_by_payout ON transfer (payout_id, id);
CREATE INDEX transfer_by_time ON transfer (create_time);
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
    create_time  timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (transfer_id, owner, kind, currency),
    FOREIGN KEY (owner, kind, currency) REFERENCES account
);

CREATE INDEX entry_by_account ON entry (owner, kind, currency);
-- Statements read an owner's entries of any period by time. Entries repeat their transfer's time,
-- so that one index holds both, and the sums before a page come from an index-only scan.
CREATE INDEX entry_by_owner_and_time ON entry (owner, create_time, transfer_id)
    INCLUDE (currency, kind, amount_minor);

CREATE TABLE deposit (
    id                 text PRIMARY KEY,
    brand              text        NOT NULL,
    currency           text        NOT NULL,
    amount_minor       bigint      NOT NULL CHECK (amount_minor > 0),
    external_reference text UNIQUE,
    -- Set on confirmation, which posts the deposit.
    transfer_id        bigint UNIQUE REFERENCES transfer,
    confirm_time       timestamptz,
    create_time        timestamptz NOT NULL,
    CHECK (num_nulls(external_reference, transfer_id, confirm_time) IN (0, 3))
);

-- Postings are final. ---------------------------------------------------------------------------

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
CREATE TRIGGER provider_is_final BEFORE UPDATE OR DELETE ON provider
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER provider_is_kept BEFORE TRUNCATE ON provider EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_is_kept BEFORE DELETE ON payout
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_is_kept BEFORE DELETE ON attempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER deposit_is_kept BEFORE DELETE ON deposit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.balance_minor := CASE WHEN NEW.owner LIKE 'brands/%' THEN 0 END;
    RETURN NEW;
END $$;

CREATE TRIGGER account_opens_empty BEFORE INSERT ON account
    FOR EACH ROW EXECUTE FUNCTION open_account();
-- Only `carry_balance` may update: as a trigger, its statements have a depth above 0.
CREATE TRIGGER account_moves_by_entries BEFORE UPDATE ON account
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_deposit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.transfer_id IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'deposit % is confirmed: it cannot be changed', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER deposit_is_confirmed_once BEFORE UPDATE ON deposit
    FOR EACH ROW EXECUTE FUNCTION check_deposit_change();

-- Entries are added only in the transaction of their transfer. ----------------------------------

-- Statements are read page by page, oldest first, so no transfer may appear before one already
-- read. A transfer's time is therefore the time of its posting, and later than those of all
-- transfers posted before, whatever the clock says (it may have been set back, or be another
-- server's). A posting transaction first takes an advisory lock, visible to all and held until it
-- ends, whose key is a time before which it posts nothing.
CREATE FUNCTION stamp_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The lock comes first: a reader that does not see it yet has read only transfers seen here.
    PERFORM pg_advisory_xact_lock_shared(
        (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint);
    NEW.xact_id := pg_current_xact_id();
    NEW.create_time := greatest(
        clock_timestamp(), transaction_timestamp(),
        (SELECT max(create_time) + interval '1 microsecond' FROM transfer));
    RETURN NEW;
END $$;

CREATE TRIGGER transfer_is_stamped BEFORE INSERT ON transfer
    FOR EACH ROW EXECUTE FUNCTION stamp_transfer();

CREATE FUNCTION refuse_late_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Compare the time too: a restored database counts its transactions from the start.
    SELECT create_time INTO NEW.create_time FROM transfer WHERE id = NEW.transfer_id
        AND xact_id = pg_current_xact_id() AND create_time >= transaction_timestamp();
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

-- Transfers sum to zero, and affect their payout as their kind says. ----------------------------

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
    -- SETTLE, RELEASE and WRITE_OFF use up exactly what is reserved; other kinds leave a rest.
    IF (checked.kind IN ('SETTLE', 'RELEASE', 'WRITE_OFF')) <> (held_minor = 0) OR held_minor < 0 THEN
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

-- Checked at commit, when all entries exist. Entries are checked too: with SET CONSTRAINTS
-- IMMEDIATE the transfer would otherwise be checked before its last entry.
CREATE CONSTRAINT TRIGGER transfer_is_sound AFTER INSERT ON transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transfer();
CREATE CONSTRAINT TRIGGER entry_is_sound AFTER INSERT ON entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry();

-- The amount held for a payout is not released while an attempt may still use it.
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

-- Payouts and attempts. -------------------------------------------------------------------------

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

-- A decision to retry a failed attempt does not allow repeating a payment that later came back.
CREATE FUNCTION check_new_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
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
        RAISE EXCEPTION 'attempt % of payout % is not the next one', NEW.number, NEW.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_is_due BEFORE INSERT ON attempt
    FOR EACH ROW EXECUTE FUNCTION check_new_attempt();

-- An attempt keeps its provider and the ids that the provider gave it.
CREATE FUNCTION check_attempt_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.payout_id, NEW.number, NEW.receiver, NEW.amount_minor, NEW.sender_batch_id, NEW.provider)
       <> (OLD.payout_id, OLD.number, OLD.receiver, OLD.amount_minor, OLD.sender_batch_id, OLD.provider)
       OR (OLD.provider_batch_id IS NOT NULL
           AND NEW.provider_batch_id IS DISTINCT FROM OLD.provider_batch_id)
       OR (OLD.provider_transaction_id IS NOT NULL
           AND NEW.provider_transaction_id IS DISTINCT FROM OLD.provider_transaction_id)
       OR (OLD.state IN ('FAILED', 'RETURNED') AND NEW.state <> OLD.state)
       OR (OLD.state = 'PAID' AND NEW.state NOT IN ('PAID', 'RETURNED'))
       OR NEW.fence < OLD.fence THEN
        RAISE EXCEPTION 'attempt % of payout % cannot be changed like this', OLD.number, OLD.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_goes_forward BEFORE UPDATE ON attempt
    FOR EACH ROW EXECUTE FUNCTION check_attempt_change();

CREATE FUNCTION check_attempt_is_posted() RETURNS trigger LANGUAGE plpgsql AS $$
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
    EXECUTE FUNCTION check_attempt_is_posted();
CREATE CONSTRAINT TRIGGER attempt_matches_the_ledger AFTER INSERT OR UPDATE ON attempt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_attempt_state();

-- Operators' decisions about payouts. -----------------------------------------------------------

CREATE TABLE decision (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payout_id      text        NOT NULL REFERENCES payout,
    kind           text        NOT NULL CHECK (kind IN
        ('RETRY', 'HOLD', 'RESUME', 'WRITE_OFF', 'RESOLVE', 'CONFIRM', 'REJECT')),
    -- The attempt concerned; for RETRY, the next attempt.
    attempt_number integer,
    reason         text        NOT NULL CHECK (reason <> ''),
    actor          text        NOT NULL,
    -- RETRY: the provider and the receiver, if the operator chose them.
    provider       text REFERENCES provider,
    receiver       text,
    create_time    timestamptz NOT NULL,
    -- Idempotency key of the command.
    request_id     uuid,
    -- RETRY: pay again what was paid and came back.
    pays_again     boolean     NOT NULL DEFAULT false CHECK (kind = 'RETRY' OR NOT pays_again),
    -- WRITE_OFF: who gets the reserved money.
    beneficiary    text CHECK (beneficiary IN ('BRAND', 'PLATFORM')),
    -- RESOLVE: the outcome of the attempt.
    outcome        text CHECK (outcome IN ('NOT_PAID', 'FOUND')),
    CHECK ((kind IN ('HOLD', 'RESUME', 'WRITE_OFF')) = (attempt_number IS NULL)),
    CHECK (kind = 'RETRY' OR num_nonnulls(provider, receiver) = 0),
    CONSTRAINT decision_names_beneficiary
        CHECK ((kind = 'WRITE_OFF') = (beneficiary IS NOT NULL)),
    CONSTRAINT decision_names_outcome CHECK ((kind = 'RESOLVE') = (outcome IS NOT NULL))
);

CREATE INDEX decision_by_payout ON decision (payout_id, id);
CREATE UNIQUE INDEX decision_of_one_request ON decision (request_id, kind, actor);

CREATE TRIGGER decision_is_final BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_kept BEFORE TRUNCATE ON decision EXECUTE FUNCTION refuse_change();

-- Bank transfers that operators make and confirm. -----------------------------------------------

-- Orders of the provider BANK_TRANSFER, and their outcome as recorded by an operator.
CREATE TABLE bank_transfer (
    sender_batch_id    text PRIMARY KEY,
    receiver           text        NOT NULL CHECK (receiver <> ''),
    currency           text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount_minor       bigint      NOT NULL CHECK (amount_minor > 0),
    state              text        NOT NULL DEFAULT 'ORDERED'
        CHECK (state IN ('ORDERED', 'CONFIRMED', 'REJECTED')),
    -- The bank's; set once CONFIRMED.
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
        RAISE EXCEPTION 'bank transfer % is %: it cannot be changed like this', OLD.sender_batch_id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- A report waits for this lock, so that it misses no transfer before its end_time.
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

-- A payout's state, derived from its attempts and the ledger, and never stored. -----------------

CREATE VIEW payout_now AS
SELECT p.id, p.brand, p.creator, p.currency, p.reserved_amount_minor, p.amount_minor, p.create_time,
       money.held_minor, money.fee_minor, money.was_settled,
       CASE WHEN money.held_minor = 0 AND money.paid_minor > 0 THEN 'PAID'
            WHEN money.was_written_off THEN 'WRITTEN_OFF'
            WHEN money.held_minor = 0 THEN 'RELEASED'
            WHEN latest.state IS NULL THEN 'RESERVED'
            WHEN latest.state IN ('FAILED', 'RETURNED') THEN 'FAILED'
            WHEN latest.state IN ('SENDING', 'UNKNOWN') THEN 'SENDING'
            WHEN latest.state IN ('UNCLAIMED', 'BLOCKED') THEN latest.state
            ELSE 'SENT' END AS state,
       greatest(p.create_time, money.last_time, latest.update_time, said.last_time) AS update_time,
       coalesce(said.is_held, false) AS is_held
  FROM payout p
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'reserved'), 0)::bigint
                  AS held_minor,
              coalesce(sum(e.amount_minor) FILTER (WHERE e.owner = 'provider'), 0)::bigint
                  AS paid_minor,
              sum(e.amount_minor) FILTER (WHERE e.owner = 'fees' AND e.currency = p.currency)::bigint
                  AS fee_minor,
              coalesce(bool_or(t.kind = 'SETTLE'), false) AS was_settled,
              coalesce(bool_or(t.kind = 'WRITE_OFF'), false) AS was_written_off,
              max(t.create_time) AS last_time
         FROM transfer t JOIN entry e ON e.transfer_id = t.id
        WHERE t.payout_id = p.id) AS money
  LEFT JOIN LATERAL (
       SELECT a.state, a.provider_batch_id, a.update_time FROM attempt a
        WHERE a.payout_id = p.id ORDER BY a.number DESC LIMIT 1) AS latest ON true
  LEFT JOIN LATERAL (
       SELECT (array_agg(d.kind ORDER BY d.id DESC)
                   FILTER (WHERE d.kind IN ('HOLD', 'RESUME')))[1] = 'HOLD' AS is_held,
              max(d.create_time) AS last_time
         FROM decision d WHERE d.payout_id = p.id) AS said ON true;

-- `until_time` is the time up to which statements are final: the latest posting, but before
-- `posting_since`, the start of the oldest transaction that is still posting. Read the entries in a
-- later SQL statement than this view: it sees every transaction that ended before this view read
-- the locks.
CREATE VIEW statement_horizon AS
SELECT least((SELECT max(create_time) FROM transfer),
             posting.since - interval '1 microsecond') AS until_time,
       posting.since AS posting_since,
       clock_timestamp() AS read_time
  FROM (SELECT min(timestamptz 'epoch' + ((classid::bigint << 32) | objid::bigint)
                                         * interval '1 microsecond') AS since
          FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           -- Only keys that are microseconds: in a 32-bit key the upper half is all zeros or all
           -- ones.
           AND classid::bigint BETWEEN 1 AND 4294967294) AS posting;

-- Reconciliations (reported transactions, totals, findings) and the kill switch; append-only. ---

CREATE TABLE reconciliation (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider          text        NOT NULL REFERENCES provider,
    start_time        timestamptz NOT NULL,
    end_time          timestamptz NOT NULL,
    transaction_count integer     NOT NULL CHECK (transaction_count >= 0),
    mismatch_count    integer     NOT NULL CHECK (mismatch_count >= 0),
    request_id        uuid        NOT NULL UNIQUE,
    create_time       timestamptz NOT NULL,
    CHECK (start_time < end_time),
    -- Each starts where the previous one ended: no period is compared twice.
    CONSTRAINT reconciliation_begins_once UNIQUE (provider, start_time),
    CONSTRAINT reconciliation_ends_once UNIQUE (provider, end_time)
);

CREATE TABLE reconciliation_total (
    reconciliation_id  bigint REFERENCES reconciliation,
    currency           text CHECK (currency ~ '^[A-Z]{3}$'),
    provider_minor     bigint NOT NULL,
    ledger_minor       bigint NOT NULL,
    provider_fee_minor bigint NOT NULL,
    ledger_fee_minor   bigint NOT NULL,
    -- Paid out by the provider, and neither claimed nor returned yet.
    open_minor         bigint NOT NULL,
    PRIMARY KEY (reconciliation_id, currency)
);

-- Every transaction that a provider has reported.
CREATE TABLE reported_transaction (
    provider          text REFERENCES provider,
    id                text CHECK (id <> ''),
    sender_batch_id   text        NOT NULL,
    reverses_id       text        NOT NULL,
    currency          text        NOT NULL,
    amount_minor      bigint      NOT NULL,
    fee_currency      text        NOT NULL,
    fee_minor         bigint      NOT NULL,
    time              timestamptz NOT NULL,
    -- The reconciliation that first read it.
    reconciliation_id bigint      NOT NULL REFERENCES reconciliation,
    PRIMARY KEY (provider, id)
);

-- Matches a reported transaction with an attempt and a transfer. There is no transfer if the money
-- left and came back before the ledger settled it, or if it was denied after it had been reported.
CREATE TABLE reconciled_transaction (
    provider          text,
    transaction_id    text,
    payout_id         text    NOT NULL,
    attempt_number    integer NOT NULL,
    transfer_id       bigint UNIQUE REFERENCES transfer,
    reconciliation_id bigint  NOT NULL REFERENCES reconciliation,
    PRIMARY KEY (provider, transaction_id),
    FOREIGN KEY (provider, transaction_id) REFERENCES reported_transaction,
    FOREIGN KEY (payout_id, attempt_number) REFERENCES attempt
);

CREATE TABLE finding (
    reconciliation_id     bigint REFERENCES reconciliation,
    number                integer CHECK (number > 0),
    kind                  text        NOT NULL
        CHECK (kind IN ('UNMATCHED', 'MISSING', 'DIFFERENT', 'CORRECTED')),
    payout_id             text        NOT NULL,
    attempt_number        integer     NOT NULL,
    transaction_id        text        NOT NULL,
    -- Set for MISSING.
    transfer_id           bigint REFERENCES transfer,
    provider_currency     text,
    provider_amount_minor bigint,
    ledger_currency       text,
    ledger_amount_minor   bigint,
    provider_fee_currency text,
    provider_fee_minor    bigint,
    ledger_fee_currency   text,
    ledger_fee_minor      bigint,
    time                  timestamptz NOT NULL,
    description           text        NOT NULL,
    PRIMARY KEY (reconciliation_id, number),
    CHECK (num_nulls(provider_currency, provider_amount_minor) IN (0, 2)),
    CHECK (num_nulls(ledger_currency, ledger_amount_minor) IN (0, 2)),
    CHECK (num_nulls(provider_fee_currency, provider_fee_minor) IN (0, 2)),
    CHECK (num_nulls(ledger_fee_currency, ledger_fee_minor) IN (0, 2))
);

-- Halts all payouts, or lifts exactly one halt.
CREATE TABLE kill_switch_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('HALT', 'RESUME')),
    cause       text        NOT NULL CHECK (cause IN ('OPERATOR', 'MISMATCH', 'RESTORED')),
    reason      text        NOT NULL CHECK (reason <> ''),
    actor       text        NOT NULL,
    lifts_id    bigint UNIQUE REFERENCES kill_switch_event,
    create_time timestamptz NOT NULL,
    CHECK ((kind = 'RESUME') = (lifts_id IS NOT NULL))
);

-- Known identities of this database; the last row is the current one.
CREATE TABLE database_identity (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system_identifier bigint      NOT NULL,
    timeline          text        NOT NULL,
    database_oid      oid         NOT NULL,
    table_oid         oid         NOT NULL,
    create_time       timestamptz NOT NULL
);

CREATE INDEX finding_by_transaction ON finding (transaction_id);
CREATE INDEX finding_by_transfer ON finding (transfer_id);

CREATE TRIGGER reconciliation_is_final BEFORE UPDATE OR DELETE ON reconciliation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reconciliations_are_kept BEFORE TRUNCATE ON reconciliation
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER total_is_final BEFORE UPDATE OR DELETE ON reconciliation_total
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER totals_are_kept BEFORE TRUNCATE ON reconciliation_total
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER report_is_final BEFORE UPDATE OR DELETE ON reported_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reports_are_kept BEFORE TRUNCATE ON reported_transaction
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER match_is_final BEFORE UPDATE OR DELETE ON reconciled_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER matches_are_kept BEFORE TRUNCATE ON reconciled_transaction
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER finding_is_final BEFORE UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER findings_are_kept BEFORE TRUNCATE ON finding EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kill_switch_event_is_final BEFORE UPDATE OR DELETE ON kill_switch_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kill_switch_events_are_kept BEFORE TRUNCATE ON kill_switch_event
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER database_identity_is_final BEFORE UPDATE OR DELETE ON database_identity
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER database_identities_are_kept BEFORE TRUNCATE ON database_identity
    EXECUTE FUNCTION refuse_change();

-- Changes with a restore, a fail-over, a copy, or loading a dump, which recreates the tables; ALTER
-- TABLE does not change it. PUBLIC may execute these functions unless that was revoked. The
-- timeline is that of the current WAL position: the last checkpoint's may still be the previous
-- one.
CREATE VIEW current_database_identity AS
SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
       (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid,
       'payout'::regclass::oid AS table_oid
  FROM pg_control_system();

-- Active halts; payouts are sent if there are none. A database whose identity differs from the
-- known one is halted even before that is recorded.
CREATE VIEW active_halt AS
SELECT id, kind, cause, reason, actor, lifts_id, create_time FROM kill_switch_event halt
 WHERE kind = 'HALT' AND NOT EXISTS (SELECT FROM kill_switch_event WHERE lifts_id = halt.id)
UNION ALL
SELECT 0, 'HALT', 'RESTORED', 'The identity of the database has changed', 'system', NULL, now()
  FROM current_database_identity AS found,
       (SELECT * FROM database_identity ORDER BY id DESC LIMIT 1) AS known
 WHERE (found.system_identifier, found.timeline, found.database_oid, found.table_oid)
       <> (known.system_identifier, known.timeline, known.database_oid, known.table_oid);
