-- What is learned from approvals: what the actions have in common, what need not be asked again, what went wrong.

CREATE TABLE approval_exemptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    team text CHECK (team ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    action text NOT NULL,
    shape text NOT NULL CHECK (length(shape) BETWEEN 1 AND 500),
    shape_version integer NOT NULL CHECK (shape_version >= 1),
    -- Higher risks are always asked about, whatever was learned.
    risk text NOT NULL CHECK (risk IN ('low', 'medium')),
    approval_id uuid NOT NULL UNIQUE,
    based_on jsonb NOT NULL CHECK (jsonb_typeof(based_on) = 'object'),
    proposed_at timestamptz NOT NULL,
    signed_by text,
    signed_at timestamptz,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id),
    CHECK ((signed_at IS NULL) = (signed_by IS NULL)),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL))
);
CREATE UNIQUE INDEX approval_exemptions_one_open ON approval_exemptions
    (org_id, team, action, risk, shape_version, shape) NULLS NOT DISTINCT WHERE withdrawn_at IS NULL;
CREATE INDEX approval_exemptions_list ON approval_exemptions (org_id, proposed_at DESC, id DESC);

-- What an approval is an example of, as it was when it was asked.
CREATE TABLE approval_likenesses (
    approval_id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations (id),
    team text CHECK (team ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    action text NOT NULL,
    shape text NOT NULL CHECK (length(shape) BETWEEN 1 AND 500),
    shape_version integer NOT NULL CHECK (shape_version >= 1),
    risk text NOT NULL CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    -- The one that answered in the place of a person.
    exemption_id uuid,
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id),
    FOREIGN KEY (org_id, exemption_id) REFERENCES approval_exemptions (org_id, id)
);
CREATE INDEX approval_likenesses_list ON approval_likenesses (org_id, action, shape);
CREATE INDEX approval_likenesses_by_exemption ON approval_likenesses (org_id, exemption_id)
    WHERE exemption_id IS NOT NULL;

-- Actions that were approved, and that a person says should not have been.
CREATE TABLE approval_rollbacks (
    approval_id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations (id),
    marked_by text NOT NULL,
    note text NOT NULL CHECK (length(note) BETWEEN 1 AND 2000),
    marked_at timestamptz NOT NULL,
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id)
);
CREATE INDEX approval_rollbacks_list ON approval_rollbacks (org_id, marked_at DESC, approval_id DESC);

CREATE INDEX agent_action_votes_by_time ON agent_action_votes (org_id, voted_at);
CREATE INDEX agent_invocations_by_approval ON agent_invocations (org_id, approval_id) WHERE approval_id IS NOT NULL;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['approval_exemptions', 'approval_likenesses', 'approval_rollbacks']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO maos_app, maos_owner '
            'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format(
            'CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO maos_app, maos_system', tenant_table);
    END LOOP;
END $$;
-- What an exemption covers and is based on stays as it was proposed; it is signed once and withdrawn once.
GRANT UPDATE (signed_by, signed_at, withdrawn_at, withdrawn_reason) ON approval_exemptions TO maos_app, maos_system;
