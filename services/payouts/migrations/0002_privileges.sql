-- Privileges of the service, which are fewer than those of the schema's owner: it can add to the
-- ledger and update payouts, but cannot change postings or drop constraints and triggers. It logs
-- in as liaison_payouts or a member of that role; migrations are applied by another role.

DO $$
BEGIN
    IF pg_has_role('liaison_payouts', current_user, 'MEMBER') THEN
        RAISE EXCEPTION 'the ledger cannot be owned by liaison_payouts, which must not change it'
            USING HINT = 'Migrate as another role: LIAISON_DATABASE_OWNER_URL names it.';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO liaison_payouts', current_schema());
    -- Tables of later migrations can be read and inserted into; those migrations grant any more.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT ON TABLES'
                   ' TO liaison_payouts', current_schema());
    EXECUTE format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA %I TO liaison_payouts',
                   current_schema());
    -- Balances change by entries only: the trigger may update what the poster of an entry may not.
    -- The search path is fixed, so that no other table can stand in for `account`.
    EXECUTE format('ALTER FUNCTION carry_balance() SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END $$;

-- The database itself assigns ids, times and balances.
REVOKE INSERT ON transfer, entry, account, migration FROM liaison_payouts;
GRANT INSERT (key, body_sha256, kind, payout_id, attempt_number) ON transfer TO liaison_payouts;
GRANT INSERT (transfer_id, owner, kind, currency, amount_minor) ON entry TO liaison_payouts;
GRANT INSERT (owner, kind, currency) ON account TO liaison_payouts;

-- FOR UPDATE requires the UPDATE privilege on any one column; `account_moves_by_entries` refuses
-- actual updates.
GRANT UPDATE (currency) ON account TO liaison_payouts;
GRANT UPDATE (amount_minor) ON payout TO liaison_payouts;
GRANT UPDATE (external_reference, transfer_id, confirm_time) ON deposit TO liaison_payouts;
GRANT UPDATE (state, provider_batch_id, provider_item_id, provider_transaction_id, provider_state,
              error_code, fence, lease_end_time, update_time) ON attempt TO liaison_payouts;
GRANT UPDATE (state, external_reference, fee_minor) ON bank_transfer TO liaison_payouts;
-- servicekit.postgres.idempotency stores a response once, and deletes the key of a refused command.
GRANT UPDATE (response), DELETE ON request TO liaison_payouts;

-- Functions use a fixed search path: a caller's tables of the same names, such as temporary ones,
-- would otherwise be found first.

DO $$
DECLARE
    checked regprocedure;
BEGIN
    FOR checked IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', checked, current_schema());
    END LOOP;
END $$;

-- It executes as the ledger's owner, so nobody else may attach it to a table.
REVOKE EXECUTE ON FUNCTION carry_balance() FROM PUBLIC;
