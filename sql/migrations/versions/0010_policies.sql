-- Policies of organisations: every version of every document is kept. And the team for which a run works.

CREATE TABLE organization_policies (
    org_id uuid NOT NULL REFERENCES organizations (id),
    version integer NOT NULL CHECK (version >= 1),
    document text NOT NULL CHECK (octet_length(document) <= 64000),
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    -- What the document says, where it says it: every reading of a run needs it.
    read_only_exempt boolean,
    reason text NOT NULL CHECK (reason <> ''),
    stored_by text NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, version)
);

ALTER TABLE organization_policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_policies FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organization_policies TO maos_app, maos_owner
    USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON organization_policies TO maos_system USING (true) WITH CHECK (true);
-- Append-only: under which policy an approval was asked for can always be read.
GRANT SELECT, INSERT ON organization_policies TO maos_app, maos_system;

ALTER TABLE orchestrator_runs ADD COLUMN team text CHECK (team ~ '^[a-z0-9][a-z0-9-]{0,62}$');
