-- The months of the audit log: made ahead, and made later with the rows that the default partition has caught meanwhile.

CREATE FUNCTION audit_months_to_make(ahead integer) RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH wanted AS (
        SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step))::date AS month
        FROM generate_series(0, ahead) AS step
        UNION
        SELECT date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date FROM public.agent_action_audit_log_default
    )
    SELECT month FROM wanted
    WHERE to_regclass('public.agent_action_audit_log_' || to_char(month, 'YYYY_MM')) IS NULL ORDER BY month
$$;

-- Says whether the month has its partition now; false: others held what it takes, try again.
-- Each lock is waited for so briefly that PostgreSQL never looks for a deadlock meanwhile: a writer that waits for this
-- function is never the one that is ended. The log is locked before the default partition: whoever then inserts looks
-- for the partition of its row only afterwards, and finds the new one.
CREATE FUNCTION make_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '150ms' AS $$
DECLARE
    name text := 'agent_action_audit_log_' || to_char(month, 'YYYY_MM');
    first timestamptz := month::timestamp AT TIME ZONE 'UTC';
    after timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
    columns text;
BEGIN
    IF month <> date_trunc('month', month)::date THEN
        RAISE EXCEPTION 'a month begins on its first day, not on %', month;
    END IF;
    LOCK TABLE ONLY public.organizations, ONLY public.orchestrator_runs, ONLY public.agent_pending_actions,
        ONLY public.agent_action_audit_log IN SHARE ROW EXCLUSIVE MODE;
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN true;
    END IF;
    LOCK TABLE public.agent_action_audit_log_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.agent_action_audit_log INCLUDING ALL)', name);
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = 'public.agent_action_audit_log'::regclass AND attnum > 0 AND NOT attisdropped;
    -- Attached while it is empty: what a partition already holds would be checked against tables of which the owner,
    -- under forced row level security, sees no row.
    CREATE TABLE public.audit_rows_moving (LIKE public.agent_action_audit_log);
    EXECUTE format(
        'WITH moved AS (DELETE FROM public.agent_action_audit_log_default '
        'WHERE recorded_at >= %L AND recorded_at < %L RETURNING %s) '
        'INSERT INTO public.audit_rows_moving (%s) SELECT * FROM moved', first, after, columns, columns);
    EXECUTE format(
        'ALTER TABLE public.agent_action_audit_log ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        name, first, after);
    EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM public.audit_rows_moving', name, columns, columns);
    DROP TABLE public.audit_rows_moving;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;

CREATE OR REPLACE FUNCTION ensure_audit_partitions(months integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.make_audit_partition(month) FROM public.audit_months_to_make(months) AS month;
END $$;

REVOKE ALL ON FUNCTION audit_months_to_make(integer), make_audit_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_months_to_make(integer), make_audit_partition(date) TO maos_system;
