-- Suspensions, who granted each role, logins of customers with the views they read, and deletions of organisations.

CREATE FUNCTION current_actor() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    -- Whoever a transaction says it acts for; where it says nobody, the login.
    RETURN coalesce(nullif(current_setting('app.actor', true), ''), session_user::text);

ALTER TABLE organizations
    ADD COLUMN suspended_by text,
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_because text,
    ADD CHECK (suspended_by IS NULL OR status = 'suspended');

-- Empty on rows from before; from now on the database itself writes who and when.
ALTER TABLE user_organizations ADD COLUMN granted_by text, ADD COLUMN granted_at timestamptz;
ALTER TABLE user_organizations
    ALTER COLUMN granted_by SET DEFAULT current_actor(), ALTER COLUMN granted_at SET DEFAULT now();

-- What every list goes by.
CREATE INDEX usage_entries_list ON usage_entries (org_id, recorded_at DESC, id DESC);
CREATE INDEX notice_routes_list ON notice_routes (org_id, created_at DESC, id DESC);

-- Which organisation a customer's login reads. Only the owner's role writes it: neither app nor system can bind a login.
CREATE TABLE client_logins (
    org_id uuid PRIMARY KEY REFERENCES organizations (id),
    login text NOT NULL UNIQUE CHECK (login ~ '^maos_client_[0-9a-f]{16}$'),
    made_by text NOT NULL DEFAULT current_actor(),
    made_at timestamptz NOT NULL DEFAULT now()
);

-- A deletion that one owner has asked for; a second one confirms it.
CREATE TABLE organization_deletions (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations (id),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    export_folder text NOT NULL,
    export_digest text NOT NULL CHECK (export_digest ~ '^[0-9a-f]{64}$'),
    UNIQUE (org_id, id)
);
CREATE INDEX organization_deletions_list ON organization_deletions (org_id, requested_at DESC, id DESC);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['client_logins', 'organization_deletions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO maos_app, maos_owner '
            'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
    END LOOP;
END $$;
CREATE POLICY housekeeping ON client_logins FOR SELECT TO maos_system USING (true);
-- The one row that a session needs to know its own organisation.
CREATE POLICY own ON client_logins FOR SELECT TO maos_owner USING (login = session_user);
-- Nobody asks in the name of another than the transaction acts for.
CREATE POLICY housekeeping ON organization_deletions TO maos_system
    USING (true) WITH CHECK (requested_by = current_actor());
GRANT SELECT ON client_logins TO maos_app, maos_system;
GRANT SELECT ON organization_deletions TO maos_app;
GRANT SELECT, INSERT ON organization_deletions TO maos_system;

-- What remains of a deleted organisation: it is no tenant's, and only `delete_organization` adds to it.
CREATE TABLE organization_tombstones (
    organization_id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    confirmed_by text NOT NULL CHECK (confirmed_by <> requested_by),
    deleted_at timestamptz NOT NULL DEFAULT now(),
    export_digest text NOT NULL CHECK (export_digest ~ '^[0-9a-f]{64}$'),
    chain_sequence bigint NOT NULL CHECK (chain_sequence >= 1),
    chain_hash text NOT NULL CHECK (chain_hash ~ '^[0-9a-f]{64}$')
);
ALTER TABLE organization_tombstones ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_tombstones FORCE ROW LEVEL SECURITY;
CREATE POLICY burial ON organization_tombstones FOR INSERT TO maos_owner WITH CHECK (true);
CREATE POLICY housekeeping ON organization_tombstones FOR SELECT TO maos_system USING (true);
GRANT SELECT ON organization_tombstones TO maos_system;

CREATE FUNCTION delete_organization(org uuid, request uuid, export text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
-- The one way in which history is ever removed: no role has DELETE on it, and this asks for everything again.
DECLARE
    asked organization_deletions;
    head audit_chain_heads;
    confirmer text := current_actor();
    previous text := coalesce(current_setting('app.org_id', true), '');
    tenant_tables oid[];
    next_table oid;
BEGIN
    PERFORM set_config('app.org_id', org::text, true);
    -- Nothing that refers to the organisation is added from here on.
    PERFORM FROM organizations WHERE id = org FOR UPDATE;
    SELECT * INTO asked FROM organization_deletions WHERE id = request;
    IF asked IS NULL THEN
        RAISE EXCEPTION 'a request of this organisation' USING ERRCODE = 'MAOS1';
    ELSIF asked.requested_at <= now() - interval '72 hours' THEN
        RAISE EXCEPTION 'a request not older than 72 hours' USING ERRCODE = 'MAOS1';
    ELSIF asked.requested_by = confirmer THEN
        RAISE EXCEPTION 'confirmed by another owner than %, who asked for it', confirmer USING ERRCODE = 'MAOS1';
    ELSIF asked.export_digest <> export THEN
        RAISE EXCEPTION 'an organisation that is as it was exported; it has changed since' USING ERRCODE = 'MAOS1';
    ELSIF 2 <> (SELECT count(DISTINCT u.id) FROM user_organizations m JOIN users u ON u.id = m.user_id
                WHERE m.role = 'owner' AND u.email IN (confirmer, asked.requested_by)) THEN
        RAISE EXCEPTION 'asked for and confirmed by two who are owners now' USING ERRCODE = 'MAOS1';
    ELSIF EXISTS (SELECT FROM orchestrator_runs WHERE completed_at IS NULL) THEN
        RAISE EXCEPTION 'an organisation without open runs' USING ERRCODE = 'MAOS1';
    ELSIF EXISTS (SELECT FROM client_logins WHERE org_id = org) THEN
        RAISE EXCEPTION 'an organisation without a client login' USING ERRCODE = 'MAOS1';
    END IF;
    SELECT * INTO STRICT head FROM audit_chain_heads;
    INSERT INTO organization_tombstones (
        organization_id, slug, name, requested_by, requested_at, confirmed_by, export_digest, chain_sequence, chain_hash)
    SELECT id, slug, name, asked.requested_by, asked.requested_at, confirmer, export, head.sequence, head.row_hash
    FROM organizations WHERE id = org;

    tenant_tables := ARRAY(
        SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition);
    -- What others refer to comes after them, so that a table that is added later needs no mention here.
    WHILE cardinality(tenant_tables) > 0 LOOP
        SELECT t INTO next_table FROM unnest(tenant_tables) t
        WHERE NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = t
                          AND f.conrelid <> t AND f.conrelid = ANY (tenant_tables))
        LIMIT 1;
        IF next_table IS NULL THEN
            RAISE EXCEPTION 'tenant tables refer to each other in a circle: %', tenant_tables::regclass[];
        END IF;
        EXECUTE format('DELETE FROM %s WHERE org_id = $1', next_table::regclass) USING org;
        tenant_tables := array_remove(tenant_tables, next_table);
    END LOOP;
    DELETE FROM organizations WHERE id = org;
    PERFORM set_config('app.org_id', previous, true);
END $$;
REVOKE ALL ON FUNCTION delete_organization(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_organization(uuid, uuid, text) TO maos_system;

-- What customers read. The organisation is that of the login, which no setting of the session changes.
CREATE FUNCTION client_org() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(
        (SELECT l.org_id FROM client_logins l WHERE l.login = session_user),
        -- Whoever may act as the system anyway may look at what a customer sees.
        CASE WHEN pg_has_role(session_user, 'maos_system', 'MEMBER') THEN current_org() END)
$$;

-- A table and not a CASE: the definition of a view can be read by everybody.
CREATE TABLE engine_labels (engine_type text PRIMARY KEY, label text NOT NULL UNIQUE);
INSERT INTO engine_labels VALUES
    ('claude_cli', 'writer'), ('deep_agent', 'researcher'), ('gemini_image', 'illustrator'),
    ('internal_service', 'service');

DROP VIEW client.runs, client.invocations, client.approvals;

CREATE VIEW client.runs WITH (security_barrier) AS
SELECT id, org_id, title, initiator_type, initiator_id, entrypoint, autonomy, rehearsal, status, budget_cap_usd,
       error_summary, started_at, completed_at
FROM public.orchestrator_runs;

CREATE VIEW client.invocations WITH (security_barrier) AS
SELECT i.id, i.org_id, i.run_id, i.step_id, i.attempt, i.agent_name, l.label AS engine, i.action, i.rehearsal,
       i.input_summary, i.output_summary, i.cost_usd, i.status, i.error_kind, i.error_summary, i.started_at,
       i.completed_at
FROM public.agent_invocations i LEFT JOIN public.engine_labels l ON l.engine_type = i.engine_type;

CREATE VIEW client.approvals WITH (security_barrier) AS
SELECT id, org_id, run_id, step_id, action, title, risk, status, initiator_id, decided_by, decided_at, note,
       started_at, expires_at
FROM public.agent_pending_actions;

CREATE VIEW client.usage WITH (security_barrier) AS
SELECT u.id, u.org_id, u.run_id, u.invocation_id, i.step_id, i.agent_name, l.label AS engine, u.kind, u.number,
       u.amount_usd, u.recorded_at
FROM public.usage_entries u
JOIN public.agent_invocations i ON i.org_id = u.org_id AND i.id = u.invocation_id
LEFT JOIN public.engine_labels l ON l.engine_type = i.engine_type;

-- Every column that is hashed: a customer can check the chain, and keep its head as a witness.
CREATE VIEW client.audit WITH (security_barrier) AS
SELECT org_id, sequence, recorded_at, event, actor, run_id, step_id, action, risk, was_automatic, approval_id, digest,
       success, summary, rules_version, policy_version, error, result_digest, chain_version, previous_hash, row_hash
FROM public.agent_action_audit_log;

-- The views act as a role of their own, which may read these columns, of the login's organisation, and nothing else.
GRANT USAGE ON SCHEMA public TO maos_views;
GRANT SELECT ON engine_labels TO maos_views;
GRANT SELECT (id, org_id, title, initiator_type, initiator_id, entrypoint, autonomy, rehearsal, status, budget_cap_usd,
              error_summary, started_at, completed_at) ON orchestrator_runs TO maos_views;
GRANT SELECT (id, org_id, run_id, step_id, attempt, agent_name, engine_type, action, rehearsal, input_summary,
              output_summary, cost_usd, status, error_kind, error_summary, started_at, completed_at)
    ON agent_invocations TO maos_views;
GRANT SELECT (id, org_id, run_id, step_id, action, title, risk, status, initiator_id, decided_by, decided_at, note,
              started_at, expires_at) ON agent_pending_actions TO maos_views;
GRANT SELECT (id, org_id, run_id, invocation_id, kind, number, amount_usd, recorded_at) ON usage_entries TO maos_views;
GRANT SELECT (org_id, sequence, recorded_at, event, actor, run_id, step_id, action, risk, was_automatic, approval_id,
              digest, success, summary, rules_version, policy_version, error, result_digest, chain_version,
              previous_hash, row_hash) ON agent_action_audit_log TO maos_views;
GRANT USAGE, CREATE ON SCHEMA client TO maos_views;
DO $$
DECLARE
    read_table text;
    view_name text;
BEGIN
    FOREACH read_table IN ARRAY ARRAY[
        'orchestrator_runs', 'agent_invocations', 'agent_pending_actions', 'usage_entries', 'agent_action_audit_log']
    LOOP
        EXECUTE format(
            'CREATE POLICY client ON %I FOR SELECT TO maos_views USING (org_id = (SELECT client_org()))', read_table);
    END LOOP;
    FOREACH view_name IN ARRAY ARRAY['runs', 'invocations', 'approvals', 'usage', 'audit'] LOOP
        EXECUTE format('ALTER VIEW client.%I OWNER TO maos_views', view_name);
        EXECUTE format('GRANT SELECT ON client.%I TO maos_client', view_name);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA client FROM maos_views;
