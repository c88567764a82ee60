-- Changes one share that holds enough: one that nobody has locked or else, where there are several, any one when it is
-- free. Whoever locked all of them because they are busy would keep them all busy, and the others would come after.
-- A share that turns out to have too little stays locked unless what locked it is undone: each try is a block of its
-- own, so that nobody waits for a share, or for all of them, and keeps such a one from others.
CREATE FUNCTION change_budget_share(
    of_budget uuid, of_period date, more_left numeric, more_reserved numeric, more_spent numeric
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    -- What is given back needs no room.
    needed CONSTANT numeric NOT NULL := CASE WHEN more_left < 0 THEN -more_left ELSE '-infinity' END;
    chosen smallint;
BEGIN
    BEGIN
        -- In any order: else all would try the same one first.
        SELECT share INTO STRICT chosen FROM budget_shares
            WHERE budget_id = of_budget AND period_start = of_period AND left_amount >= needed
            ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED;
    EXCEPTION WHEN no_data_found THEN
        SELECT share INTO chosen FROM budget_shares
            WHERE budget_id = of_budget AND period_start = of_period AND left_amount >= needed AND share > 0
            ORDER BY random() LIMIT 1;
    END;
    UPDATE budget_shares SET left_amount = left_amount + more_left,
        reserved_amount = reserved_amount + more_reserved, spent_amount = spent_amount + more_spent
        WHERE budget_id = of_budget AND period_start = of_period AND share = chosen AND left_amount >= needed;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
    RETURN true;
EXCEPTION WHEN no_data_found THEN
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION change_budget_share(uuid, date, numeric, numeric, numeric) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION change_budget_share(uuid, date, numeric, numeric, numeric) TO maos_app, maos_system;
