-- Notices of approvals: an outbox, written in the transaction of what it tells of; and whom they reach.

-- When the open stage reminds next, and how often it has; approvals from before there were reminders have none.
ALTER TABLE agent_pending_actions
    ADD COLUMN remind_at timestamptz,
    ADD COLUMN reminders_sent integer NOT NULL DEFAULT 0 CHECK (reminders_sent >= 0);
CREATE INDEX agent_pending_actions_remind ON agent_pending_actions (remind_at) WHERE status = 'pending';

CREATE TABLE notice_routes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    role text CHECK (role IN ('owner', 'author', 'operator', 'reviewer', 'auditor')),
    user_id uuid REFERENCES users (id),
    minimum_risk text NOT NULL CHECK (minimum_risk IN ('low', 'medium', 'high', 'critical')),
    channel text NOT NULL CHECK (channel IN ('email', 'slack', 'webhook')),
    -- The name of a block, or an address: never a secret. Empty: each person's own address.
    target text,
    created_at timestamptz NOT NULL,
    CHECK (num_nonnulls(role, user_id) = 1),
    CHECK (channel = 'email' OR target IS NOT NULL),
    UNIQUE NULLS NOT DISTINCT (org_id, role, user_id, channel, target)
);

CREATE TABLE approval_notices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    approval_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('requested', 'reminder', 'escalated', 'expired')),
    revision integer NOT NULL,
    stage integer NOT NULL,
    escalated boolean NOT NULL,
    reminder integer NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'slack', 'webhook')),
    address text NOT NULL,
    user_id uuid REFERENCES users (id),
    urgent boolean NOT NULL,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    sent_at timestamptz,
    dropped_at timestamptz,
    error text,
    CHECK (num_nonnulls(sent_at, dropped_at) <= 1),
    -- Of each thing everybody is told once.
    UNIQUE (approval_id, kind, revision, stage, escalated, reminder, channel, address),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id)
);
CREATE INDEX approval_notices_waiting ON approval_notices (org_id, due_at)
    WHERE sent_at IS NULL AND dropped_at IS NULL;
CREATE INDEX approval_notices_last_sent ON approval_notices (org_id, channel, address, sent_at)
    WHERE sent_at IS NOT NULL;
CREATE INDEX approval_notices_list ON approval_notices (org_id, created_at DESC, id DESC);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['notice_routes', 'approval_notices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I TO maos_app, maos_owner '
                       'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format('CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
-- What a notice says and to whom cannot be changed once it is written, only what became of it.
GRANT SELECT, INSERT, UPDATE (due_at, attempts, sent_at, dropped_at, error) ON approval_notices TO maos_app;
GRANT SELECT ON approval_notices TO maos_system;
GRANT SELECT ON notice_routes TO maos_app;
GRANT SELECT, INSERT, DELETE ON notice_routes TO maos_system;
