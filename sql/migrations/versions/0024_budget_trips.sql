-- Changes a share of each of several budgets, in their order, up to the first that has none that holds enough; returns
-- how many are changed. What is changed is not undone for the others: whoever waits for a share of this transaction
-- would go on waiting for it although it is free again.
CREATE FUNCTION change_budget_shares(
    budgets uuid[], periods date[], lefts numeric[], reserveds numeric[], spents numeric[]
) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. cardinality(budgets) LOOP
        IF NOT change_budget_share(budgets[n], periods[n], lefts[n], reserveds[n], spents[n]) THEN
            RETURN n - 1;
        END IF;
    END LOOP;
    RETURN cardinality(budgets);
END $$;
REVOKE ALL ON FUNCTION change_budget_shares(uuid[], date[], numeric[], numeric[], numeric[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION change_budget_shares(uuid[], date[], numeric[], numeric[], numeric[])
    TO maos_app, maos_system;
