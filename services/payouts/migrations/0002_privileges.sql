-- What the service itself may do, which is less than its schema's owner may: it adds to the ledger
-- and moves payouts on, and can neither change what was posted nor take a rule away. It logs in as
-- liaison_payouts, or as a member of that role; who applies migrations is another.

DO $$
BEGIN
    IF pg_has_role('liaison_payouts', current_user, 'MEMBER') THEN
        RAISE EXCEPTION 'the ledger cannot be owned by liaison_payouts, whom it is kept from'
            USING HINT = 'Migrate as another role: LIAISON_DATABASE_OWNER_URL names it.';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO liaison_payouts', current_schema());
    -- What a migration to come makes can be read and added to. More is granted where it is made.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT ON TABLES'
                   ' TO liaison_payouts', current_schema());
    EXECUTE format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA %I TO liaison_payouts',
                   current_schema());
    -- A balance moves by entries alone: its trigger may do what who posts the entry may not. The
    -- path is fixed, so that no table of somebody else's can stand in for `account`.
    EXECUTE format('ALTER FUNCTION carry_balance() SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END $$;

-- Numbers, times and balances are the database's to give.
REVOKE INSERT ON transfer, entry, account, migration FROM liaison_payouts;
GRANT INSERT (key, body_sha256, kind, payout_id, attempt_number) ON transfer TO liaison_payouts;
GRANT INSERT (transfer_id, owner, kind, currency, amount_minor) ON entry TO liaison_payouts;
GRANT INSERT (owner, kind, currency) ON account TO liaison_payouts;

-- FOR UPDATE asks for the right to change one column, whichever; `account_moves_by_entries` refuses
-- that change itself.
GRANT UPDATE (currency) ON account TO liaison_payouts;
GRANT UPDATE (amount_minor) ON payout TO liaison_payouts;
GRANT UPDATE (external_reference, transfer_id, confirm_time) ON deposit TO liaison_payouts;
GRANT UPDATE (state, provider_batch_id, provider_item_id, provider_transaction_id, provider_state,
              error_code, fence, lease_end_time, update_time) ON attempt TO liaison_payouts;
GRANT UPDATE (state, external_reference, fee_minor) ON bank_transfer TO liaison_payouts;
-- servicekit.postgres.idempotency answers a key once, and gives one back whose command was refused.
GRANT UPDATE (response), DELETE ON request TO liaison_payouts;

-- What the functions of the ledger look at is the ledger: whoever calls them may have tables of the
-- same names, such as temporary ones, which would otherwise be found first.

DO $$
DECLARE
    checked regprocedure;
BEGIN
    FOR checked IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', checked, current_schema());
    END LOOP;
END $$;

-- It runs as the ledger's owner, so that it must be nobody's to put on a table of his own.
REVOKE EXECUTE ON FUNCTION carry_balance() FROM PUBLIC;
