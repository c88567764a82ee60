-- Budgets by money, tokens and calls, for each day, month or once; what is left of them in shares.

-- Decides where days and months begin.
ALTER TABLE organizations ADD COLUMN IF NOT EXISTS timezone text NOT NULL DEFAULT 'UTC';

ALTER TABLE budgets ADD COLUMN unit text NOT NULL DEFAULT 'usd' CHECK (unit IN ('usd', 'tokens', 'calls'));
ALTER TABLE budgets ALTER COLUMN unit DROP DEFAULT;
ALTER TABLE budgets RENAME COLUMN limit_usd TO limit_amount;
ALTER TABLE budgets ALTER COLUMN limit_amount TYPE numeric(24, 8);
ALTER TABLE budgets ADD COLUMN thresholds smallint[] NOT NULL DEFAULT '{}'
    CHECK (1 <= ALL (thresholds) AND 100 >= ALL (thresholds));
ALTER TABLE budgets DROP CONSTRAINT budgets_org_id_scope_scope_id_period_key;
ALTER TABLE budgets ADD UNIQUE (org_id, scope, scope_id, period, unit);
ALTER TABLE budgets ADD UNIQUE (org_id, id);

CREATE TABLE budget_periods (
    budget_id uuid NOT NULL,
    period_start date NOT NULL,
    org_id uuid NOT NULL REFERENCES organizations (id),
    limit_amount numeric(24, 8) NOT NULL CHECK (limit_amount >= 0),
    noticed smallint NOT NULL DEFAULT 0 CHECK (noticed BETWEEN 0 AND 100),
    PRIMARY KEY (budget_id, period_start),
    UNIQUE (org_id, budget_id, period_start),
    FOREIGN KEY (org_id, budget_id) REFERENCES budgets (org_id, id)
);

CREATE TABLE budget_shares (
    budget_id uuid NOT NULL,
    period_start date NOT NULL,
    share smallint NOT NULL CHECK (share >= 0),
    org_id uuid NOT NULL REFERENCES organizations (id),
    -- Below nothing only where there is one share: else another one could be spent that covers it.
    left_amount numeric(24, 8) NOT NULL CHECK (left_amount >= 0 OR share = 0),
    reserved_amount numeric(24, 8) NOT NULL,
    spent_amount numeric(24, 8) NOT NULL,
    PRIMARY KEY (budget_id, period_start, share),
    FOREIGN KEY (org_id, budget_id, period_start) REFERENCES budget_periods (org_id, budget_id, period_start)
-- Each is written with every call: room for its next versions beside it, so that no index is written with it.
) WITH (fillfactor = 40);

-- An approval may ask for more of a budget.
ALTER TABLE agent_pending_actions
    DROP CONSTRAINT agent_pending_actions_kind_check,
    ADD CONSTRAINT agent_pending_actions_kind_check
        CHECK (kind IN ('action', 'in_doubt', 'needs_decision', 'plan', 'exemption', 'budget'));

-- In which budgets money, tokens and calls were set aside: exactly these get them back.
ALTER TABLE usage_entries ADD COLUMN holds jsonb CHECK (kind = 'reserve' OR holds IS NULL);

-- What was paid for last of each action: the forecast of a run that is out of budget is taken from it.
CREATE INDEX agent_invocations_paid ON agent_invocations (org_id, action, started_at DESC)
    WHERE status = 'completed' AND NOT rehearsal AND token_cost_estimate > 0;

-- Row level security would hide the rows of every organisation from their owner.
ALTER TABLE budgets NO FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_entries NO FORCE ROW LEVEL SECURITY;
INSERT INTO budget_periods (budget_id, period_start, org_id, limit_amount)
    SELECT id, '1970-01-01', org_id, limit_amount FROM budgets;
INSERT INTO budget_shares (budget_id, period_start, share, org_id, left_amount, reserved_amount, spent_amount)
    SELECT id, '1970-01-01', 0, org_id, limit_amount - reserved_usd - spent_usd, reserved_usd, spent_usd FROM budgets;
UPDATE usage_entries e SET holds = (
        SELECT jsonb_agg(jsonb_build_object(
            'budget', b.id, 'unit', 'usd', 'period', '1970-01-01', 'amount', e.amount_usd::text) ORDER BY b.id)
        FROM budgets b WHERE b.org_id = e.org_id
            AND (b.scope = 'run' AND b.scope_id = e.run_id::text OR b.scope = 'org' AND b.scope_id = e.org_id::text))
    WHERE kind = 'reserve';
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
ALTER TABLE usage_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE budgets DROP COLUMN reserved_usd, DROP COLUMN spent_usd;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['budget_periods', 'budget_shares'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO maos_app, maos_owner '
            'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format(
            'CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON budget_periods TO maos_app, maos_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON budget_shares TO maos_app, maos_system;

-- What a period of a budget comes to, as the caller may see it.
CREATE VIEW budget_standings WITH (security_invoker = true) AS
SELECT b.org_id, b.id AS budget_id, b.scope, b.scope_id, b.period, b.unit, p.period_start, p.limit_amount,
       sum(s.reserved_amount) AS reserved, sum(s.spent_amount) AS spent, sum(s.left_amount) AS remaining,
       count(*) AS shares
FROM budgets b
    JOIN budget_periods p ON p.budget_id = b.id
    JOIN budget_shares s ON s.budget_id = p.budget_id AND s.period_start = p.period_start
GROUP BY b.id, p.budget_id, p.period_start;
GRANT SELECT ON budget_standings TO maos_app, maos_system;
