-- Runs that outlive their processes: leases, plan revisions, an effects ledger, decisions with choices.

ALTER TABLE orchestrator_runs
    -- The fencing token: each process that takes a run up counts it on, and writes of an older process are refused.
    ADD COLUMN epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    ADD COLUMN lease_expires_at timestamptz,
    ADD COLUMN recoveries integer NOT NULL DEFAULT 0 CHECK (recoveries >= 0),
    ADD COLUMN gate_kind text NOT NULL DEFAULT 'approvals' CHECK (gate_kind IN ('approvals', 'hold')),
    ADD COLUMN held_by text,
    ADD COLUMN held_at timestamptz,
    ADD COLUMN pins jsonb NOT NULL DEFAULT '{}',
    ADD CHECK ((held_by IS NULL) = (held_at IS NULL));
-- What reconciliation reads every time: the runs without an end are few.
CREATE INDEX orchestrator_runs_open ON orchestrator_runs (started_at) WHERE completed_at IS NULL;

ALTER TABLE agent_invocations
    ADD COLUMN run_attempt integer NOT NULL DEFAULT 1 CHECK (run_attempt >= 1),
    ADD COLUMN reused_from uuid,
    ADD CHECK (reused_from IS NULL OR status = 'completed');

ALTER TABLE agent_pending_actions
    ADD COLUMN kind text NOT NULL DEFAULT 'action' CHECK (kind IN ('action', 'in_doubt', 'needs_decision')),
    ADD COLUMN choice text,
    ADD CHECK (choice IS NULL OR kind <> 'action');

CREATE TABLE plan_revisions (
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    revision integer NOT NULL CHECK (revision >= 1),
    plan jsonb NOT NULL,
    plan_digest text NOT NULL CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    reason text NOT NULL,
    proposed_by text,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, revision),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id)
);

CREATE TABLE effects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('email', 'webhook', 'upload', 'container', 'publish')),
    idempotency_key text NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    status text NOT NULL CHECK (status IN ('intended', 'done', 'not_done', 'in_doubt')),
    intentions integer NOT NULL DEFAULT 1 CHECK (intentions >= 1),
    confirmed_by text,
    intended_at timestamptz NOT NULL,
    settled_at timestamptz,
    UNIQUE (org_id, id),
    UNIQUE (run_id, step_id),
    UNIQUE (org_id, idempotency_key),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id),
    CHECK ((settled_at IS NULL) = (status = 'intended'))
);
CREATE INDEX effects_list ON effects (org_id, intended_at DESC, id DESC);
CREATE INDEX effects_list_by_status ON effects (org_id, status, intended_at DESC, id DESC);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['plan_revisions', 'effects'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO maos_app, maos_owner '
            'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format(
            'CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON effects TO maos_app, maos_system;
-- Append-only: both the plan that was and the plan that is are kept.
GRANT SELECT, INSERT ON plan_revisions TO maos_app, maos_system;
