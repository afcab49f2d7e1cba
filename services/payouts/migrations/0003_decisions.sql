-- What operators decide about payouts, which provider moves an attempt's money, and payouts that end
-- without being paid.

ALTER TABLE attempt
    ADD COLUMN provider text NOT NULL DEFAULT 'PAYPAL' CHECK (provider IN ('PAYPAL', 'MANUAL')),
    -- By which the provider's reports know the movement of money.
    ADD COLUMN provider_transaction_id text;
ALTER TABLE attempt ALTER COLUMN provider DROP DEFAULT;

CREATE UNIQUE INDEX attempt_of_one_transaction ON attempt (provider, provider_transaction_id);
-- Ids are a provider's own: two providers may use the same one.
ALTER TABLE attempt DROP CONSTRAINT attempt_provider_batch_id_key;
ALTER TABLE attempt DROP CONSTRAINT attempt_provider_item_id_key;
CREATE UNIQUE INDEX attempt_of_one_batch ON attempt (provider_batch_id, provider);
CREATE UNIQUE INDEX attempt_of_one_item ON attempt (provider_item_id, provider);

CREATE TABLE decision (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payout_id      text        NOT NULL REFERENCES payout,
    kind           text        NOT NULL CHECK (kind IN
        ('RETRY', 'HOLD', 'RESUME', 'WRITE_OFF', 'RESOLVE', 'CONFIRM', 'REJECT')),
    -- The attempt that it is about: of RETRY, the one that may be made.
    attempt_number integer,
    reason         text        NOT NULL CHECK (reason <> ''),
    actor          text        NOT NULL,
    -- Of RETRY: by whom and to whom, where an operator says so.
    provider       text CHECK (provider IN ('PAYPAL', 'MANUAL')),
    receiver       text,
    create_time    timestamptz NOT NULL,
    CHECK ((kind IN ('HOLD', 'RESUME', 'WRITE_OFF')) = (attempt_number IS NULL)),
    CHECK (kind = 'RETRY' OR num_nonnulls(provider, receiver) = 0)
);

CREATE INDEX decision_by_payout ON decision (payout_id, id);

CREATE TRIGGER decision_is_final BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_kept BEFORE TRUNCATE ON decision EXECUTE FUNCTION refuse_change();

ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check CHECK (kind IN
    ('DEPOSIT', 'RESERVE', 'REDUCE', 'RELEASE', 'SETTLE', 'RETURN', 'WRITE_OFF'));

CREATE OR REPLACE FUNCTION check_hold(checked transfer) RETURNS void LANGUAGE plpgsql AS $$
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
    -- Settling, releasing and writing off use up exactly what is reserved; nothing else leaves
    -- nothing.
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

-- An attempt keeps its provider, and whatever id the provider gave it.
CREATE OR REPLACE FUNCTION check_attempt_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
        RAISE EXCEPTION 'attempt % of payout % cannot be changed so', OLD.number, OLD.payout_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE VIEW payout_now AS
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
