-- Reconciliations: what providers said that they moved, what it was compared with, and what did not
-- match; and the switch that stops all sending. All of it is only ever added to.

CREATE TABLE reconciliation (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider          text        NOT NULL CHECK (provider IN ('PAYPAL', 'MANUAL')),
    start_time        timestamptz NOT NULL,
    end_time          timestamptz NOT NULL,
    transaction_count integer     NOT NULL CHECK (transaction_count >= 0),
    mismatch_count    integer     NOT NULL CHECK (mismatch_count >= 0),
    request_id        uuid        NOT NULL UNIQUE,
    create_time       timestamptz NOT NULL,
    CHECK (start_time < end_time),
    -- Each begins where the one before ended: no time is compared twice.
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
    -- Paid out by the provider, and neither delivered nor back yet.
    open_minor         bigint NOT NULL,
    PRIMARY KEY (reconciliation_id, currency)
);

-- Every transaction that a provider ever reported.
CREATE TABLE reported_transaction (
    provider          text CHECK (provider IN ('PAYPAL', 'MANUAL')),
    id                text CHECK (id <> ''),
    sender_batch_id   text        NOT NULL,
    reverses_id       text        NOT NULL,
    currency          text        NOT NULL,
    amount_minor      bigint      NOT NULL,
    fee_currency      text        NOT NULL,
    fee_minor         bigint      NOT NULL,
    time              timestamptz NOT NULL,
    -- Which first saw it.
    reconciliation_id bigint      NOT NULL REFERENCES reconciliation,
    PRIMARY KEY (provider, id)
);

-- What a transaction is in the ledger. One that left and came back before the ledger took it for
-- paid is an attempt's and no transfer's, and so is one that was denied after it had been reported.
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
    -- Of what is missing.
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

-- Stops all sending, or lifts one of the halts: that one alone, whatever else was halted meanwhile.
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

-- Where the database was found to be; the last row is where it is known to be.
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
CREATE TRIGGER database_identities_are_kept BEFORE TRUNCATE ON database_identity EXECUTE FUNCTION refuse_change();

-- Another one after a restore, a fail-over, a copy, or a dump that was loaded again, which makes its
-- tables anew; no ALTER TABLE does. Everybody may call these functions, unless
-- somebody took that right away. The timeline is that of what is written now: the last checkpoint's
-- may still be the one before.
CREATE VIEW current_database_identity AS
SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
       (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid,
       'payout'::regclass::oid AS table_oid
  FROM pg_control_system();

-- What keeps payouts from being sent; nothing where they are sent. A database that is not where it is
-- known to be is halted before anybody has noted that.
CREATE VIEW active_halt AS
SELECT id, kind, cause, reason, actor, lifts_id, create_time FROM kill_switch_event halt
 WHERE kind = 'HALT' AND NOT EXISTS (SELECT FROM kill_switch_event WHERE lifts_id = halt.id)
UNION ALL
SELECT 0, 'HALT', 'RESTORED', 'The database is another one than it was', 'system', NULL, now()
  FROM current_database_identity AS found,
       (SELECT * FROM database_identity ORDER BY id DESC LIMIT 1) AS known
 WHERE (found.system_identifier, found.timeline, found.database_oid, found.table_oid)
       <> (known.system_identifier, known.timeline, known.database_oid, known.table_oid);
