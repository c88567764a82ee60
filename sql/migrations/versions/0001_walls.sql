-- Who may touch what. `maos_owner` owns the tables, and sees no row but its own organisation's either: FORCE.

CREATE FUNCTION current_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    -- After the first transaction on a connection the setting reads '', not NULL: hence nullif.
    RETURN nullif(current_setting('app.org_id', true), '')::uuid;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'user_organizations', 'orchestrator_runs', 'agent_pending_actions', 'agent_action_votes',
        'agent_invocations', 'invocation_vendor_details', 'budgets', 'usage_entries',
        'audit_chain_heads', 'agent_action_audit_log']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO maos_app, maos_owner '
            'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format(
            'CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;

ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organizations TO maos_app, maos_owner
    USING (id = (SELECT current_org())) WITH CHECK (id = (SELECT current_org()));
CREATE POLICY housekeeping ON organizations TO maos_system USING (true) WITH CHECK (true);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY members ON users TO maos_app, maos_owner
    USING (EXISTS (SELECT FROM user_organizations m WHERE m.user_id = users.id AND m.org_id = (SELECT current_org())));
CREATE POLICY housekeeping ON users TO maos_system USING (true) WITH CHECK (true);

GRANT USAGE ON SCHEMA public TO maos_app, maos_system;
GRANT SELECT ON organizations, users, user_organizations TO maos_app;
GRANT SELECT, INSERT, UPDATE ON
    orchestrator_runs, agent_pending_actions, agent_invocations, budgets, audit_chain_heads TO maos_app, maos_system;
-- Append-only for everybody: no UPDATE, DELETE or TRUNCATE is granted on these.
GRANT SELECT, INSERT ON
    agent_action_votes, invocation_vendor_details, usage_entries, agent_action_audit_log TO maos_app, maos_system;
GRANT SELECT, INSERT, UPDATE ON organizations, users TO maos_system;
GRANT SELECT, INSERT, DELETE ON user_organizations TO maos_system;

-- What a customer may read: engines by their public label; no vendor, model, prompt or internal text.
CREATE SCHEMA client;
GRANT USAGE ON SCHEMA client TO maos_client;

CREATE VIEW client.runs AS
SELECT id, org_id, title, initiator_type, initiator_id, entrypoint, autonomy, rehearsal, status, budget_cap_usd,
       error_summary, started_at, completed_at
FROM public.orchestrator_runs;

CREATE VIEW client.invocations AS
SELECT id, org_id, run_id, step_id, attempt, agent_name,
       CASE engine_type WHEN 'claude_cli' THEN 'writer' WHEN 'deep_agent' THEN 'researcher'
           WHEN 'gemini_image' THEN 'illustrator' ELSE 'service' END AS engine,
       action, rehearsal, input_summary, output_summary, cost_usd, status, error_kind, error_summary,
       started_at, completed_at
FROM public.agent_invocations;

CREATE VIEW client.approvals AS
SELECT id, org_id, run_id, step_id, action, title, risk, status, initiator_id, decided_by, decided_at, note,
       started_at, expires_at
FROM public.agent_pending_actions;

GRANT SELECT ON ALL TABLES IN SCHEMA client TO maos_client;
