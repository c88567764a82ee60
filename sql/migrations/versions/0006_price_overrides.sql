-- What organisations pay instead of the list price, what a call costs by the list, and how long a vendor asks to wait.

CREATE TABLE price_overrides (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    model text NOT NULL CHECK (model ~ '^([a-z0-9][a-z0-9.-]{0,99})?\*?$' AND model <> ''),
    rates jsonb NOT NULL CHECK (jsonb_typeof(rates) = 'object'),
    markup_percent numeric(8, 4) NOT NULL CHECK (markup_percent BETWEEN -100 AND 1000),
    -- Never in the past: what was charged stays true.
    effective_from timestamptz NOT NULL CHECK (effective_from >= set_at),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL,
    UNIQUE (org_id, id)
);
CREATE INDEX price_overrides_list ON price_overrides (org_id, effective_from DESC, id DESC);

ALTER TABLE price_overrides ENABLE ROW LEVEL SECURITY;
ALTER TABLE price_overrides FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON price_overrides TO maos_app, maos_owner
    USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON price_overrides TO maos_system USING (true) WITH CHECK (true);
-- Append-only: an agreement ends because a later one takes its place.
GRANT SELECT, INSERT ON price_overrides TO maos_app, maos_system;

-- Beside `agent_invocations.cost_usd`, which is what the organisation is charged.
ALTER TABLE invocation_vendor_details ADD COLUMN list_cost_usd numeric(18, 8) CHECK (list_cost_usd >= 0);

-- Before this time the step is not tried again, because its engine asked for that.
ALTER TABLE agent_invocations ADD COLUMN retry_at timestamptz CHECK (retry_at IS NULL OR status = 'failed');
