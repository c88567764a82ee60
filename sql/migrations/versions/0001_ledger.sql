-- The ledger of the first release: tenants, runs, invocations, approvals, audit, budgets.

CREATE TABLE organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    autonomy text NOT NULL DEFAULT 'semi_autonomous'
        CHECK (autonomy IN ('supervised', 'semi_autonomous', 'autonomous')),
    read_only_exempt boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL UNIQUE CHECK (email = lower(email) AND position('@' IN email) > 1),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_organizations (
    org_id uuid NOT NULL REFERENCES organizations (id),
    user_id uuid NOT NULL REFERENCES users (id),
    role text NOT NULL CHECK (role IN ('owner', 'author', 'operator', 'reviewer', 'auditor')),
    PRIMARY KEY (org_id, user_id, role)
);

CREATE TABLE orchestrator_runs (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations (id),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    initiator_type text NOT NULL CHECK (initiator_type IN ('user', 'system', 'webhook', 'scheduler', 'voice')),
    initiator_id text NOT NULL,
    entrypoint text NOT NULL CHECK (entrypoint IN (
        'generate_report', 'analyze_data', 'process_email', 'generate_content', 'create_image', 'run_workflow')),
    origin_type text NOT NULL CHECK (origin_type IN ('plan', 'saved_orchestration', 'ad_hoc')),
    origin_id uuid,
    plan jsonb NOT NULL,
    plan_digest text NOT NULL CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    rules_digest text NOT NULL CHECK (rules_digest ~ '^[0-9a-f]{64}$'),
    code_version text NOT NULL,
    prompt_inputs jsonb NOT NULL,
    autonomy text NOT NULL CHECK (autonomy IN ('supervised', 'semi_autonomous', 'autonomous')),
    rehearsal boolean NOT NULL,
    status text NOT NULL CHECK (status IN (
        'pending', 'planning', 'executing', 'paused', 'completed', 'failed', 'cancelled')),
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    gate_round integer NOT NULL DEFAULT 1 CHECK (gate_round >= 1),
    gate_refusal text,
    parent_run_id uuid,
    budget_cap_usd numeric(18, 8) CHECK (budget_cap_usd > 0),
    result jsonb,
    error_summary text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, parent_run_id) REFERENCES orchestrator_runs (org_id, id),
    CHECK ((completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
);
CREATE INDEX orchestrator_runs_list ON orchestrator_runs (org_id, started_at DESC, id DESC);
CREATE INDEX orchestrator_runs_list_by_status ON orchestrator_runs (org_id, status, started_at DESC, id DESC);

CREATE TABLE agent_pending_actions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    action text NOT NULL,
    engine_type text NOT NULL CHECK (engine_type IN ('claude_cli', 'deep_agent', 'gemini_image', 'internal_service')),
    title text NOT NULL,
    preview text NOT NULL,
    payload jsonb NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    risk text NOT NULL CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    cost_ceiling_usd numeric(18, 8) NOT NULL CHECK (cost_ceiling_usd >= 0),
    policy jsonb NOT NULL,
    approvals_required integer NOT NULL DEFAULT 1 CHECK (approvals_required >= 1),
    initiator_id text NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > started_at),
    outcome_on_expiry text NOT NULL DEFAULT 'reject' CHECK (outcome_on_expiry IN ('reject', 'escalate', 'skip')),
    status text NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
    decided_by text,
    decided_via text CHECK (decided_via IN ('form', 'command_line', 'api', 'bulk', 'system')),
    decided_at timestamptz,
    identity_verified boolean,
    note text,
    consumed_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id),
    CHECK ((decided_at IS NULL) = (status = 'pending')),
    CHECK (consumed_at IS NULL OR status IN ('approved', 'cancelled'))
);
CREATE UNIQUE INDEX agent_pending_actions_one_open ON agent_pending_actions (run_id, step_id) WHERE status = 'pending';
CREATE INDEX agent_pending_actions_by_run ON agent_pending_actions (org_id, run_id);
CREATE INDEX agent_pending_actions_list ON agent_pending_actions (org_id, started_at DESC, id DESC);
CREATE INDEX agent_pending_actions_list_by_status
    ON agent_pending_actions (org_id, status, started_at DESC, id DESC);

CREATE TABLE agent_action_votes (
    org_id uuid NOT NULL REFERENCES organizations (id),
    approval_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id),
    decision text NOT NULL CHECK (decision IN ('approve', 'reject')),
    via text NOT NULL CHECK (via IN ('form', 'command_line', 'api', 'bulk')),
    identity_verified boolean NOT NULL,
    note text,
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (approval_id, user_id),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id)
);

CREATE TABLE agent_invocations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    agent_name text NOT NULL,
    engine_type text NOT NULL CHECK (engine_type IN ('claude_cli', 'deep_agent', 'gemini_image', 'internal_service')),
    action text NOT NULL,
    approval_id uuid,
    task_run_id uuid,
    rehearsal boolean NOT NULL,
    input_summary text NOT NULL CHECK (length(input_summary) <= 500),
    output_summary text CHECK (length(output_summary) <= 500),
    output jsonb,
    artifacts jsonb NOT NULL DEFAULT '[]',
    input_tokens bigint NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cache_read_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_read_tokens >= 0),
    cache_write_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0),
    token_cost_estimate numeric(18, 8) NOT NULL DEFAULT 0 CHECK (token_cost_estimate >= 0),
    cost_usd numeric(18, 8) NOT NULL DEFAULT 0 CHECK (cost_usd >= 0),
    status text NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'skipped', 'in_doubt')),
    error_kind text,
    error_summary text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    UNIQUE (org_id, id),
    UNIQUE (run_id, step_id, attempt),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id),
    CHECK ((output IS NOT NULL) = (status = 'completed')),
    CHECK ((error_kind IS NOT NULL) = (status = 'failed'))
);
-- The database itself refuses a second completion of a step, and two attempts of one step at the same time.
CREATE UNIQUE INDEX agent_invocations_completed_once ON agent_invocations (run_id, step_id) WHERE status = 'completed';
CREATE UNIQUE INDEX agent_invocations_one_running ON agent_invocations (run_id, step_id) WHERE status = 'running';
CREATE INDEX agent_invocations_list ON agent_invocations (org_id, started_at DESC, id DESC);
CREATE INDEX agent_invocations_list_by_status ON agent_invocations (org_id, status, started_at DESC, id DESC);

CREATE TABLE invocation_vendor_details (
    invocation_id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations (id),
    model text,
    request_id text,
    raw_usage jsonb,
    price_snapshot text,
    error_detail text,
    FOREIGN KEY (org_id, invocation_id) REFERENCES agent_invocations (org_id, id)
);

CREATE TABLE budgets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    scope text NOT NULL CHECK (scope IN ('org', 'team', 'agent', 'run')),
    scope_id text NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
    limit_usd numeric(18, 8) NOT NULL CHECK (limit_usd >= 0),
    reserved_usd numeric(18, 8) NOT NULL DEFAULT 0 CHECK (reserved_usd >= 0),
    spent_usd numeric(18, 8) NOT NULL DEFAULT 0 CHECK (spent_usd >= 0),
    UNIQUE (org_id, scope, scope_id, period)
);

CREATE TABLE usage_entries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    invocation_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('reserve', 'settle', 'release')),
    amount_usd numeric(18, 8) NOT NULL CHECK (amount_usd >= 0),
    recorded_at timestamptz NOT NULL,
    UNIQUE (invocation_id, kind),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id),
    FOREIGN KEY (org_id, invocation_id) REFERENCES agent_invocations (org_id, id)
);
CREATE INDEX usage_entries_by_run ON usage_entries (org_id, run_id);

CREATE TABLE audit_chain_heads (
    org_id uuid PRIMARY KEY REFERENCES organizations (id),
    sequence bigint NOT NULL CHECK (sequence >= 0),
    row_hash text NOT NULL CHECK (row_hash ~ '^[0-9a-f]{64}$')
);

CREATE TABLE agent_action_audit_log (
    org_id uuid NOT NULL REFERENCES organizations (id),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    recorded_at timestamptz NOT NULL,
    event text NOT NULL,
    actor text NOT NULL,
    run_id uuid NOT NULL,
    step_id text,
    action text,
    risk text CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    was_automatic boolean NOT NULL,
    approval_id uuid,
    digest text,
    success boolean NOT NULL,
    summary text NOT NULL,
    previous_hash text NOT NULL CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
    row_hash text NOT NULL CHECK (row_hash ~ '^[0-9a-f]{64}$'),
    PRIMARY KEY (org_id, sequence, recorded_at),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id),
    FOREIGN KEY (org_id, approval_id) REFERENCES agent_pending_actions (org_id, id)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX agent_action_audit_log_by_run ON agent_action_audit_log (org_id, run_id, sequence);
-- Catches rows of a month whose partition nobody made: history is never refused for want of a table.
CREATE TABLE agent_action_audit_log_default PARTITION OF agent_action_audit_log DEFAULT;

CREATE FUNCTION ensure_audit_partitions(months integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    lower_edge date;
    name text;
BEGIN
    FOR ahead IN 0..months LOOP
        lower_edge := first + make_interval(months => ahead);
        name := 'agent_action_audit_log_' || to_char(lower_edge, 'YYYY_MM');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE public.%I PARTITION OF public.agent_action_audit_log FOR VALUES FROM (%L) TO (%L)',
            name, lower_edge::text || ' 00:00+00', (lower_edge + interval '1 month')::date::text || ' 00:00+00');
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION ensure_audit_partitions(integer) FROM PUBLIC;
