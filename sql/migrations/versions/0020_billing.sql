-- Billing. What is owed is in `usage_entries`: which month bills an entry, and as what, is decided once, as it is added.

CREATE TABLE billing_closings (
    org_id uuid NOT NULL REFERENCES organizations (id),
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    -- Counted for each organisation, without a gap.
    number integer NOT NULL CHECK (number >= 1),
    closed_at timestamptz NOT NULL CHECK (closed_at >= (month + interval '1 month') AT TIME ZONE 'UTC'),
    PRIMARY KEY (org_id, month),
    UNIQUE (org_id, number)
);

CREATE TABLE billing_statements (
    org_id uuid NOT NULL REFERENCES organizations (id),
    month date NOT NULL,
    document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    entries bigint NOT NULL CHECK (entries >= 1),
    total_usd numeric(18, 8) NOT NULL,
    PRIMARY KEY (org_id, month),
    FOREIGN KEY (org_id, month) REFERENCES billing_closings (org_id, month)
);

-- What is billed are the entries `settle` and `correct`; the others say what was set aside.
ALTER TABLE usage_entries
    ADD COLUMN billing_month date CHECK (extract(day FROM billing_month) = 1),
    -- The earlier month that it belongs to.
    ADD COLUMN corrects_month date CHECK (extract(day FROM corrects_month) = 1),
    -- The engine by the name that a client may read.
    ADD COLUMN engine text CHECK (engine IN ('writer', 'researcher', 'illustrator', 'service')),
    ADD COLUMN action text,
    ADD COLUMN unit text CHECK (unit IN ('token', 'call', 'ceiling', 'correction')),
    ADD COLUMN quantity bigint CHECK (quantity >= 0),
    ADD CONSTRAINT usage_entries_corrected_month_is_earlier CHECK (corrects_month < billing_month);

CREATE FUNCTION month_of(moment timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date_trunc('month', moment AT TIME ZONE 'UTC')::date;

-- What a call is counted in. One that is charged at its ceiling has no usage that is known.
-- By the engine's label: what a function says can be read by everybody.
CREATE FUNCTION billing_unit(engine text, cost numeric, ceiling numeric, tokens bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN cost = ceiling THEN 'ceiling' WHEN engine = 'illustrator' OR tokens = 0 THEN 'call'
        ELSE 'token' END;
GRANT SELECT ON engine_labels TO maos_app, maos_system;

-- Entries from before: nothing was closed yet, each is billed in its own month. The owner sees no row under FORCE.
ALTER TABLE usage_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE agent_invocations NO FORCE ROW LEVEL SECURITY;
-- At once: a row that is updated twice has its references looked up again.
UPDATE usage_entries u SET
    billing_month = b.month,
    corrects_month = CASE WHEN b.own_month < b.month THEN b.own_month END,
    engine = b.engine,
    action = b.action,
    unit = CASE WHEN b.own_month < b.month THEN 'correction' ELSE b.unit END,
    quantity = CASE WHEN b.own_month < b.month THEN 1 WHEN u.kind = 'correct' THEN 0 WHEN b.unit = 'token' THEN b.tokens
        ELSE 1 END
FROM (
    SELECT e.id, month_of(e.recorded_at) AS month, month_of(ended.recorded_at) AS own_month, l.label AS engine, i.action,
        counted.tokens, billing_unit(l.label, i.cost_usd, i.token_cost_estimate, counted.tokens) AS unit
    FROM usage_entries e
    LEFT JOIN usage_entries ended ON e.kind = 'correct' AND ended.kind IN ('settle', 'release')
        AND ended.invocation_id = e.invocation_id
    LEFT JOIN agent_invocations i ON i.id = e.invocation_id
    LEFT JOIN engine_labels l ON l.engine_type = i.engine_type
    CROSS JOIN LATERAL (
        SELECT i.input_tokens + i.output_tokens + i.cache_read_tokens + i.cache_write_tokens AS tokens) counted
    WHERE e.kind IN ('settle', 'correct')
) b
WHERE b.id = u.id;
ALTER TABLE usage_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE agent_invocations FORCE ROW LEVEL SECURITY;

ALTER TABLE usage_entries
    ADD CONSTRAINT usage_entries_what_is_owed_has_its_month
        CHECK ((billing_month IS NOT NULL) = (kind IN ('settle', 'correct'))),
    -- Not looked up for rows from before, which were filled in above.
    ADD CONSTRAINT usage_entries_what_is_owed_says_what_for
        CHECK (num_nonnulls(engine, action, unit, quantity) = CASE WHEN billing_month IS NULL THEN 0 ELSE 4 END)
        NOT VALID;
-- A month's entries in the order that they are exported in.
CREATE INDEX usage_entries_billed ON usage_entries (org_id, billing_month, recorded_at, id)
    WHERE billing_month IS NOT NULL;

CREATE FUNCTION billing_lock(org uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended('billing ' || org::text, 0);

-- Whoever adds an entry shares the lock that closing takes alone: closing waits for entries that are being written,
-- and an entry that comes later finds the month closed.
CREATE FUNCTION bill_usage_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    call record;
    call_unit text;
    own_month date;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a usage entry is added in READ COMMITTED: else the closing of a month could be overlooked'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(public.billing_lock(NEW.org_id));
    SELECT label AS engine, action, cost_usd, token_cost_estimate AS ceiling,
        input_tokens + output_tokens + cache_read_tokens + cache_write_tokens AS tokens INTO call
    FROM public.agent_invocations JOIN public.engine_labels USING (engine_type)
    WHERE org_id = NEW.org_id AND id = NEW.invocation_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'usage entry violates foreign key: its organisation has no invocation %', NEW.invocation_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    own_month := public.month_of(NEW.recorded_at);
    SELECT greatest(own_month, (max(month) + interval '1 month')::date) INTO NEW.billing_month
    FROM public.billing_closings WHERE org_id = NEW.org_id;
    IF NEW.kind = 'correct' THEN
        -- A call that was released has no settled entry.
        SELECT min(coalesce(billing_month, public.month_of(recorded_at))) INTO own_month
        FROM public.usage_entries WHERE invocation_id = NEW.invocation_id AND kind IN ('settle', 'release');
    END IF;
    NEW.corrects_month := CASE WHEN own_month < NEW.billing_month THEN own_month END;
    NEW.engine := call.engine;
    NEW.action := call.action;
    call_unit := public.billing_unit(call.engine, call.cost_usd, call.ceiling, call.tokens);
    IF NEW.kind = 'settle' THEN
        NEW.unit := call_unit;
        NEW.quantity := CASE call_unit WHEN 'token' THEN call.tokens ELSE 1 END;
    ELSIF NEW.corrects_month IS NULL THEN
        -- Of the same month: it changes the price of what is counted already.
        NEW.unit := call_unit;
        NEW.quantity := 0;
    ELSE
        NEW.unit := 'correction';
        NEW.quantity := 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bill BEFORE INSERT ON usage_entries
    FOR EACH ROW WHEN (NEW.kind IN ('settle', 'correct')) EXECUTE FUNCTION bill_usage_entry();

-- Months are closed one after another, by the clock of the database.
CREATE FUNCTION number_billing_closing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a month is closed in READ COMMITTED: else an earlier closing could be overlooked'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(public.billing_lock(NEW.org_id));
    SELECT max(month) AS month, max(number) AS number INTO last
    FROM public.billing_closings WHERE org_id = NEW.org_id;
    IF NEW.month <= last.month THEN
        RAISE EXCEPTION 'month % is closed already, or a later one is', NEW.month USING ERRCODE = 'unique_violation';
    END IF;
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.closed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER number BEFORE INSERT ON billing_closings
    FOR EACH ROW EXECUTE FUNCTION number_billing_closing();

-- For every role, the owner too, whatever it was granted. Only with its whole organisation, whose tombstone is
-- written by then, a row may go.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM public.organization_tombstones WHERE organization_id = OLD.org_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE POLICY burial_seen ON organization_tombstones FOR SELECT TO maos_owner
    USING (organization_id = (SELECT current_org()));

-- What was used is owed: an organisation goes only when all of it stands in statements, which its export holds.
CREATE FUNCTION refuse_unbilled() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbilled date;
BEGIN
    SELECT min(u.billing_month) INTO unbilled FROM public.usage_entries u
    WHERE u.org_id = NEW.organization_id AND u.billing_month IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.billing_statements s WHERE s.org_id = u.org_id AND s.month = u.billing_month);
    IF unbilled IS NOT NULL THEN
        RAISE EXCEPTION 'an organisation whose usage is billed; that of % is not', to_char(unbilled, 'YYYY-MM')
            USING ERRCODE = 'MAOS1';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billed BEFORE INSERT ON organization_tombstones FOR EACH ROW EXECUTE FUNCTION refuse_unbilled();

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['billing_closings', 'billing_statements'] LOOP
        EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OR TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', tenant_table);
        EXECUTE format('CREATE TRIGGER lasting BEFORE DELETE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION refuse_change()', tenant_table);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I TO maos_app, maos_owner '
                       'USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()))', tenant_table);
        EXECUTE format('CREATE POLICY housekeeping ON %I TO maos_system USING (true) WITH CHECK (true)', tenant_table);
        -- The application reads which months are closed; only housekeeping closes.
        EXECUTE format('GRANT SELECT ON %I TO maos_app', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO maos_system', tenant_table);
    END LOOP;
END $$;
