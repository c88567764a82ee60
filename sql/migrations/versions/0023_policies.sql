-- The wall as it was, in words instead of by a function: looking into the function took the planner as long, for each
-- table of each statement, as planning a page of a list takes. What may be written is checked as before.
DO $$
DECLARE
    walled record;
BEGIN
    FOR walled IN
        SELECT tablename, qual FROM pg_policies
        WHERE schemaname = 'public' AND policyname = 'tenant' AND qual LIKE '%( SELECT current_org() AS current_org)%'
    LOOP
        EXECUTE format('ALTER POLICY tenant ON public.%I USING (%s)', walled.tablename, replace(
            walled.qual, '( SELECT current_org() AS current_org)',
            '(SELECT nullif(current_setting(''app.org_id'', true), '''')::uuid)'));
    END LOOP;
END $$;
