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

-- Every filter of the lists of runs and invocations begins with the newest: without these, a filter that few rows meet
-- would read all of an organisation's.
CREATE INDEX orchestrator_runs_list_by_entrypoint ON orchestrator_runs (org_id, entrypoint, started_at DESC, id DESC);
CREATE INDEX agent_invocations_list_by_engine ON agent_invocations (org_id, engine_type, started_at DESC, id DESC);
CREATE INDEX agent_invocations_list_by_action ON agent_invocations (org_id, action, started_at DESC, id DESC);

-- How long an organisation's audit rows stay in the log, and what keeps them there. Months hold rows of several
-- organisations: the longest retention among them, no retention at all, or any hold keeps the month for all.

CREATE TABLE audit_retentions (
    org_id uuid NOT NULL REFERENCES organizations (id),
    version integer NOT NULL CHECK (version >= 1),
    -- NULL: for ever.
    months integer CHECK (months BETWEEN 1 AND 1200),
    set_by text NOT NULL,
    reason text NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, version)
);

CREATE TABLE legal_holds (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    released_by text,
    release_reason text,
    released_at timestamptz,
    UNIQUE (org_id, id),
    CHECK (num_nonnulls(released_by, release_reason, released_at) IN (0, 3))
);
CREATE INDEX legal_holds_open ON legal_holds (org_id) WHERE released_at IS NULL;
CREATE INDEX legal_holds_list ON legal_holds (org_id, placed_at DESC, id DESC);

-- Not even with the whole organisation.
CREATE FUNCTION keep_open_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an organisation without an open legal hold' USING ERRCODE = 'MAOS1';
END $$;
CREATE TRIGGER keep_open_hold BEFORE DELETE ON legal_holds
    FOR EACH ROW WHEN (OLD.released_at IS NULL) EXECUTE FUNCTION keep_open_hold();

-- What has left the log: a stretch of an organisation's chain, in a file. The chain in the log begins after the newest.
CREATE TABLE audit_archives (
    org_id uuid NOT NULL REFERENCES organizations (id),
    month date NOT NULL,
    first_sequence bigint NOT NULL CHECK (first_sequence >= 1),
    last_sequence bigint NOT NULL,
    previous_hash text NOT NULL CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
    last_hash text NOT NULL CHECK (last_hash ~ '^[0-9a-f]{64}$'),
    detached_at timestamptz NOT NULL,
    file text,
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    exported_at timestamptz,
    dropped_at timestamptz,
    PRIMARY KEY (org_id, last_sequence),
    CHECK (last_sequence >= first_sequence),
    CHECK (num_nonnulls(file, sha256, exported_at) IN (0, 3)),
    CHECK (dropped_at IS NULL OR exported_at IS NOT NULL)
);
CREATE INDEX audit_archives_open ON audit_archives (month) WHERE dropped_at IS NULL;

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['audit_retentions', 'legal_holds', 'audit_archives'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I TO maos_app, maos_owner '
                       'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format('CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
-- The functions below act as the owner, for every organisation whose rows share a month.
CREATE POLICY keeping ON audit_retentions FOR SELECT TO maos_owner USING (true);
CREATE POLICY keeping ON legal_holds FOR SELECT TO maos_owner USING (true);
CREATE POLICY keeping ON audit_archives TO maos_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON audit_retentions TO maos_app;
GRANT SELECT, INSERT, UPDATE (released_by, release_reason, released_at) ON legal_holds TO maos_app;
GRANT SELECT ON audit_archives TO maos_app;
GRANT SELECT ON audit_retentions, legal_holds TO maos_system;
GRANT SELECT, UPDATE (file, sha256, exported_at) ON audit_archives TO maos_system;

-- Rows of an organisation never go back in time, so that months are stretches of its chain.
ALTER TABLE audit_chain_heads ADD COLUMN recorded_at timestamptz;

-- Which of these organisations keep a month, and why.
CREATE FUNCTION audit_month_kept_by(month date, orgs uuid[]) RETURNS TABLE (org_id uuid, why text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT org, CASE
        WHEN hold.placed_at IS NOT NULL THEN 'a legal hold since ' || to_char(hold.placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
        WHEN policy.months IS NULL THEN 'no retention is set'
        ELSE 'its retention is ' || policy.months || ' months' END
    FROM unnest(orgs) AS org
    LEFT JOIN LATERAL (SELECT months FROM public.audit_retentions r WHERE r.org_id = org
                       ORDER BY version DESC LIMIT 1) AS policy ON true
    LEFT JOIN LATERAL (SELECT placed_at FROM public.legal_holds h WHERE h.org_id = org AND released_at IS NULL
                       ORDER BY placed_at LIMIT 1) AS hold ON true
    WHERE hold.placed_at IS NOT NULL OR policy.months IS NULL
       OR (month + interval '1 month') AT TIME ZONE 'UTC' > now() - make_interval(months => policy.months)
$$;

-- What an attached month holds of each organisation, and whether that is the beginning of what the log has of it.
CREATE FUNCTION audit_month_stretches(month date) RETURNS TABLE (
    org_id uuid, first_sequence bigint, last_sequence bigint, previous_hash text, last_hash text, begins boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := 'agent_action_audit_log_' || to_char(month, 'YYYY_MM');
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH held AS (SELECT org_id, min(sequence) AS first, max(sequence) AS last, count(*) AS rows '
        '              FROM public.%I GROUP BY org_id) '
        'SELECT held.org_id, held.first, held.last, f.previous_hash, l.row_hash, '
        '       held.rows = held.last - held.first + 1 AND held.first = 1 + coalesce((SELECT max(a.last_sequence) '
        '           FROM public.audit_archives a WHERE a.org_id = held.org_id), 0) '
        'FROM held JOIN public.%I f ON f.org_id = held.org_id AND f.sequence = held.first '
        'JOIN public.%I l ON l.org_id = held.org_id AND l.sequence = held.last ORDER BY held.org_id', name, name, name);
END $$;

-- Takes a month out of the log and notes what it was, in one; false: others held what it takes, try again.
-- Nobody is trusted with what decides: the month, what keeps it and where it stands in the chains are looked at here.
CREATE FUNCTION detach_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    name text := 'agent_action_audit_log_' || to_char(month, 'YYYY_MM');
    key text;
BEGIN
    IF (month + interval '1 month') AT TIME ZONE 'UTC' > now() THEN
        RAISE EXCEPTION 'the month % has not ended', month;
    END IF;
    -- Whoever sets a retention or places a hold now waits, or has been waited for.
    LOCK TABLE public.audit_retentions, public.legal_holds IN SHARE MODE;
    LOCK TABLE ONLY public.organizations, ONLY public.orchestrator_runs, ONLY public.agent_pending_actions
        IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE ONLY public.agent_action_audit_log, public.agent_action_audit_log_default IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM public.audit_month_kept_by(month, ARRAY(
            SELECT s.org_id FROM public.audit_month_stretches(month) AS s))) THEN
        RAISE EXCEPTION 'the month % is kept', month;
    END IF;
    IF EXISTS (SELECT FROM public.audit_month_stretches(month) AS s WHERE NOT s.begins) THEN
        RAISE EXCEPTION 'the month % is not the beginning of what the log has', month;
    END IF;
    INSERT INTO public.audit_archives
            (org_id, month, first_sequence, last_sequence, previous_hash, last_hash, detached_at)
        SELECT s.org_id, detach_audit_partition.month, s.first_sequence, s.last_sequence, s.previous_hash, s.last_hash,
            now() FROM public.audit_month_stretches(month) AS s;
    EXECUTE format('ALTER TABLE public.agent_action_audit_log DETACH PARTITION public.%I', name);
    FOR key IN SELECT conname FROM pg_constraint WHERE conrelid = ('public.' || name)::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT %I', name, key);
    END LOOP;
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON public.%I TO maos_app, maos_owner USING (org_id = (SELECT public.current_org())) '
                   'WITH CHECK (org_id = (SELECT public.current_org()))', name);
    EXECUTE format('CREATE POLICY housekeeping ON public.%I FOR SELECT TO maos_system USING (true)', name);
    EXECUTE format('GRANT SELECT ON public.%I TO maos_system', name);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;

-- Removes a month that was taken out and exported; false: a hold, or a longer retention, has come in between.
CREATE FUNCTION drop_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := 'agent_action_audit_log_' || to_char(month, 'YYYY_MM');
BEGIN
    LOCK TABLE public.audit_retentions, public.legal_holds IN SHARE MODE;
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('public.' || name)) THEN
        RAISE EXCEPTION 'the month % is in the log', month;
    END IF;
    IF EXISTS (SELECT FROM public.audit_archives a WHERE a.month = drop_audit_partition.month AND exported_at IS NULL) THEN
        RAISE EXCEPTION 'the month % is not exported', month;
    END IF;
    IF EXISTS (SELECT FROM public.audit_month_kept_by(month, ARRAY(
            SELECT a.org_id FROM public.audit_archives a
            WHERE a.month = drop_audit_partition.month AND a.dropped_at IS NULL))) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', name);
    UPDATE public.audit_archives a SET dropped_at = now()
        WHERE a.month = drop_audit_partition.month AND a.dropped_at IS NULL;
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION audit_month_kept_by(date, uuid[]), audit_month_stretches(date), detach_audit_partition(date),
    drop_audit_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_month_kept_by(date, uuid[]), audit_month_stretches(date), detach_audit_partition(date),
    drop_audit_partition(date) TO maos_system;

-- Personal data. Words of people stand in rows beside the chain, which holds their digests: they can go, it stays.

CREATE FUNCTION mentions(content text, subjects text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM unnest(subjects) AS subject WHERE position(lower(subject) IN lower(content)) > 0)
$$;

-- The same document, with each text that mentions somebody taken out.
CREATE FUNCTION without_mentions(document jsonb, subjects text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE jsonb_typeof(document)
        WHEN 'string' THEN
            CASE WHEN public.mentions(document #>> '{}', subjects) THEN '"[erased]"'::jsonb ELSE document END
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(public.without_mentions(item, subjects) ORDER BY place), '[]')
            FROM jsonb_array_elements(document) WITH ORDINALITY AS items (item, place))
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(CASE WHEN public.mentions(name, subjects) THEN '[erased]' ELSE name END,
                                             public.without_mentions(item, subjects)), '{}')
            FROM jsonb_each(document) AS items (name, item))
        ELSE document END;
END $$;

-- What a row says in words stands beside the chain, which holds its digest; NULL in rows of releases before.
ALTER TABLE agent_action_audit_log
    ADD COLUMN summary_digest text CHECK (summary_digest ~ '^[0-9a-f]{64}$'),
    ADD COLUMN summary_salt text,
    DROP CONSTRAINT agent_action_audit_log_chain_version_check,
    ADD CONSTRAINT agent_action_audit_log_chain_version_check CHECK (chain_version IN (2, 3));

-- What is hashed now, customers read too: they could not check their chain otherwise.
CREATE OR REPLACE VIEW client.audit WITH (security_barrier) AS
SELECT org_id, sequence, recorded_at, event, actor, run_id, step_id, action, risk, was_automatic, approval_id, digest,
       success, summary, rules_version, policy_version, error, result_digest, chain_version, previous_hash, row_hash,
       summary_digest, summary_salt
FROM public.agent_action_audit_log;
GRANT SELECT (summary_digest, summary_salt) ON agent_action_audit_log TO maos_views;

-- Takes every text of an organisation's payloads that mentions somebody out of them; returns how many rows of each run.
-- Who did what stays: initiators, deciders, voters, actors. So do summaries that are part of a hash.
CREATE FUNCTION erase_mentions(org uuid, subjects text[]) RETURNS TABLE (run_id uuid, changed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place record;
    of_approval text := '(SELECT a.run_id FROM public.agent_pending_actions a WHERE a.id = t.approval_id)';
BEGIN
    PERFORM set_config('app.org_id', org::text, true);
    IF EXISTS (SELECT FROM public.legal_holds h WHERE h.org_id = org AND released_at IS NULL) THEN
        RAISE EXCEPTION 'the organisation has a legal hold';
    END IF;
    FOR place IN
        SELECT tab, col, kind, run FROM (VALUES
            ('orchestrator_runs', 'title', 'text', 't.id'),
            ('orchestrator_runs', 'prompt_inputs', 'json', 't.id'),
            ('orchestrator_runs', 'plan', 'json', 't.id'),
            ('orchestrator_runs', 'result', 'json', 't.id'),
            ('orchestrator_runs', 'error_summary', 'text', 't.id'),
            ('orchestrator_runs', 'gate_refusal', 'text', 't.id'),
            ('plan_revisions', 'plan', 'json', 't.run_id'),
            ('plan_revisions', 'reason', 'text', 't.run_id'),
            ('agent_invocations', 'input_summary', 'text', 't.run_id'),
            ('agent_invocations', 'output_summary', 'text', 't.run_id'),
            ('agent_invocations', 'output', 'json', 't.run_id'),
            ('agent_invocations', 'error_summary', 'text', 't.run_id'),
            ('agent_pending_actions', 'title', 'text', 't.run_id'),
            ('agent_pending_actions', 'preview', 'text', 't.run_id'),
            ('agent_pending_actions', 'payload', 'json', 't.run_id'),
            ('agent_pending_actions', 'edited', 'json', 't.run_id'),
            ('agent_pending_actions', 'note', 'text', 't.run_id'),
            ('agent_action_votes', 'note', 'text', of_approval),
            ('agent_action_edits', 'before', 'json', of_approval),
            ('agent_action_edits', 'after', 'json', of_approval),
            ('approval_rollbacks', 'note', 'text', of_approval),
            ('agent_shared_memory', 'value', 'text', 't.run_id'),
            ('invocation_vendor_details', 'raw_usage', 'json',
                '(SELECT i.run_id FROM public.agent_invocations i WHERE i.id = t.invocation_id)'),
            ('invocation_vendor_details', 'error_detail', 'text',
                '(SELECT i.run_id FROM public.agent_invocations i WHERE i.id = t.invocation_id)')
        ) AS places (tab, col, kind, run)
    LOOP
        RETURN QUERY EXECUTE format(
            'WITH done AS (UPDATE public.%I AS t SET %I = %s WHERE t.org_id = $1 AND public.mentions(t.%I::text, $2) '
            'RETURNING %s AS run) SELECT run, count(*) FROM done GROUP BY run',
            place.tab, place.col,
            CASE place.kind WHEN 'json' THEN format('public.without_mentions(t.%I, $2)', place.col) ELSE '''[erased]''' END,
            place.col, place.run) USING org, subjects;
    END LOOP;
    -- What was not sent yet is sent to nobody.
    RETURN QUERY WITH done AS (
        UPDATE public.approval_notices AS t SET address = '[erased] ' || t.id, error = NULL,
            dropped_at = CASE WHEN t.sent_at IS NULL THEN coalesce(t.dropped_at, now()) END
        WHERE t.org_id = org AND (public.mentions(t.address, subjects) OR public.mentions(t.error, subjects))
        RETURNING (SELECT a.run_id FROM public.agent_pending_actions a WHERE a.id = t.approval_id) AS run)
        SELECT run, count(*) FROM done GROUP BY run;
    RETURN QUERY WITH done AS (
        UPDATE public.agent_action_audit_log AS t SET summary = '[erased]', summary_salt = ''
        WHERE t.org_id = org AND t.chain_version = 3 AND public.mentions(t.summary, subjects) RETURNING t.run_id AS run)
        SELECT run, count(*) FROM done GROUP BY run;
    DELETE FROM public.notice_routes AS t WHERE t.org_id = org AND public.mentions(t.target, subjects);
END $$;

REVOKE ALL ON FUNCTION mentions(text, text[]), without_mentions(jsonb, text[]), erase_mentions(uuid, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mentions(text, text[]), erase_mentions(uuid, text[]) TO maos_system;

-- What 0007 meant to do: as the owner, under forced row level security, it met no row.
ALTER TABLE agent_pending_actions NO FORCE ROW LEVEL SECURITY;
UPDATE agent_pending_actions SET decision = CASE status WHEN 'approved' THEN 'approve' ELSE 'reject' END
    WHERE decision IS NULL AND decided_via IN ('form', 'command_line') AND status IN ('approved', 'rejected');
ALTER TABLE agent_pending_actions FORCE ROW LEVEL SECURITY;
