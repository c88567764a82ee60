-- The wall without a query of its own: planning that took longer than reading a page of a list.
DO $$
DECLARE
    walled record;
    asked CONSTANT text NOT NULL :=
        '( SELECT (NULLIF(current_setting(''app.org_id''::text, true), ''''::text))::uuid AS "nullif")';
BEGIN
    FOR walled IN
        SELECT tablename, qual FROM pg_policies
        WHERE schemaname = 'public' AND policyname = 'tenant' AND position(asked IN qual) > 0
    LOOP
        EXECUTE format('ALTER POLICY tenant ON public.%I USING (%s)', walled.tablename, replace(
            walled.qual, asked, 'nullif(current_setting(''app.org_id'', true), '''')::uuid'));
    END LOOP;
END $$;
