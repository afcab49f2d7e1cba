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

CREATE FUNCTION check_deposit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.transfer_id IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'deposit % is confirmed: it stays so', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER deposit_is_confirmed_once BEFORE UPDATE ON deposit
    FOR EACH ROW EXECUTE FUNCTION check_deposit_change();
CREATE TRIGGER deposit_is_kept BEFORE DELETE ON deposit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
