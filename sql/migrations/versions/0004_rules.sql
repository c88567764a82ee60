-- Rules of organisations: every version of every document is kept. And what happens in no run is audited as well.

CREATE TABLE organization_rules (
    org_id uuid NOT NULL REFERENCES organizations (id),
    version integer NOT NULL CHECK (version >= 1),
    document text NOT NULL CHECK (octet_length(document) <= 64000),
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    stored_by text NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, version)
);

ALTER TABLE organization_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organization_rules TO maos_app, maos_owner
    USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON organization_rules TO maos_system USING (true) WITH CHECK (true);
-- Append-only: what held when a run was checked can always be read.
GRANT SELECT, INSERT ON organization_rules TO maos_app, maos_system;

-- A change of rules belongs to no run. Hashes are made of the rows' fields, so that those there are stay as they are.
ALTER TABLE agent_action_audit_log ALTER COLUMN run_id DROP NOT NULL;

-- How long a run has waited for people, which no limit of its time counts.
ALTER TABLE orchestrator_runs
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN waited_seconds double precision NOT NULL DEFAULT 0 CHECK (waited_seconds >= 0);
