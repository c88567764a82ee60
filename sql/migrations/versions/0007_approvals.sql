-- Approvals that take several people in several stages, edits, answers to agents, and what a form has shown.

ALTER TABLE agent_pending_actions
    ALTER COLUMN run_id DROP NOT NULL,
    ADD COLUMN acting_for jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(acting_for) = 'array'),
    ADD COLUMN caller text,
    ADD COLUMN revision integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
    ADD COLUMN stage integer NOT NULL DEFAULT 0 CHECK (stage >= 0),
    ADD COLUMN escalated boolean NOT NULL DEFAULT false,
    ADD COLUMN edited jsonb CHECK (jsonb_typeof(edited) = 'object'),
    ADD COLUMN decision text CHECK (decision IN ('approve', 'reject', 'edit', 'respond', 'request_changes')),
    ADD COLUMN granted_by uuid,
    DROP CONSTRAINT agent_pending_actions_kind_check,
    DROP CONSTRAINT agent_pending_actions_decided_via_check,
    ADD CONSTRAINT agent_pending_actions_kind_check
        CHECK (kind IN ('action', 'in_doubt', 'needs_decision', 'plan', 'exemption')),
    ADD CONSTRAINT agent_pending_actions_decided_via_check
        CHECK (decided_via IN ('form', 'command_line', 'api', 'bulk', 'plan', 'exemption', 'system')),
    ADD CONSTRAINT agent_pending_actions_only_exemptions_have_no_run CHECK (run_id IS NOT NULL OR kind = 'exemption'),
    ADD CONSTRAINT agent_pending_actions_edited_has_a_revision CHECK ((edited IS NOT NULL) = (revision > 1)),
    ADD FOREIGN KEY (org_id, granted_by) REFERENCES agent_pending_actions (org_id, id);
UPDATE agent_pending_actions SET decision = CASE status WHEN 'approved' THEN 'approve' ELSE 'reject' END
    WHERE decided_via IN ('form', 'command_line');
CREATE INDEX agent_pending_actions_due ON agent_pending_actions (expires_at) WHERE status = 'pending';

-- A person has one vote on each payload: an edit makes a new one, on which only its editor has voted.
ALTER TABLE agent_action_votes
    ADD COLUMN revision integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
    ADD COLUMN stage integer NOT NULL DEFAULT 0 CHECK (stage >= 0),
    ADD COLUMN seat integer NOT NULL DEFAULT 0 CHECK (seat >= 0),
    ADD COLUMN digest text CHECK (digest ~ '^[0-9a-f]{64}$'),
    DROP CONSTRAINT agent_action_votes_pkey,
    ADD PRIMARY KEY (approval_id, user_id, revision),
    DROP CONSTRAINT agent_action_votes_decision_check,
    DROP CONSTRAINT agent_action_votes_via_check,
    ADD CONSTRAINT agent_action_votes_decision_check
        CHECK (decision IN ('approve', 'reject', 'edit', 'respond', 'request_changes')),
    ADD CONSTRAINT agent_action_votes_via_check CHECK (via IN ('form', 'command_line', 'api', 'bulk', 'plan'));

CREATE TABLE agent_action_edits (
    org_id uuid NOT NULL REFERENCES organizations (id),
    approval_id uuid NOT NULL,
    revision integer NOT NULL CHECK (revision >= 2),
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    digest_before text NOT NULL CHECK (digest_before ~ '^[0-9a-f]{64}$'),
    digest_after text NOT NULL CHECK (digest_after ~ '^[0-9a-f]{64}$'),
    edited_by text NOT NULL,
    edited_at timestamptz NOT NULL,
    PRIMARY KEY (approval_id, revision),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id)
);
ALTER TABLE agent_action_edits ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_action_edits FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_action_edits TO maos_app, maos_owner
    USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON agent_action_edits TO maos_system USING (true) WITH CHECK (true);
-- Append-only: what was shown before an edit can always be read.
GRANT SELECT, INSERT ON agent_action_edits TO maos_app, maos_system;

-- The payloads that the form of a waiting run shows, by approval: its answer decides these and nothing else.
ALTER TABLE orchestrator_runs ADD COLUMN gate_shown jsonb NOT NULL DEFAULT '{}';
