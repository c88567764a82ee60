-- Workflows of agents that organisations have registered: every version of every document is kept.

CREATE TABLE deep_agent_workflows (
    org_id uuid NOT NULL REFERENCES organizations (id),
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    version integer NOT NULL CHECK (version >= 1),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    document text NOT NULL CHECK (octet_length(document) <= 64000),
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    registered_by text NOT NULL CHECK (registered_by <> ''),
    registered_at timestamptz NOT NULL,
    disabled_by text CHECK (disabled_by <> ''),
    disabled_at timestamptz,
    last_run_id uuid,
    last_run_at timestamptz,
    last_status text CHECK (last_status IN
        ('pending', 'planning', 'executing', 'paused', 'completed', 'failed', 'cancelled')),
    PRIMARY KEY (org_id, name, version),
    CHECK ((disabled_by IS NULL) = (disabled_at IS NULL)),
    CHECK ((last_run_id IS NULL) = (last_run_at IS NULL) AND (last_run_id IS NULL) = (last_status IS NULL)),
    FOREIGN KEY (org_id, last_run_id) REFERENCES orchestrator_runs (org_id, id)
);
CREATE INDEX deep_agent_workflows_last_run ON deep_agent_workflows (org_id, last_run_id)
    WHERE last_run_id IS NOT NULL;

ALTER TABLE deep_agent_workflows ENABLE ROW LEVEL SECURITY;
ALTER TABLE deep_agent_workflows FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON deep_agent_workflows TO maos_app, maos_owner
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON deep_agent_workflows TO maos_system USING (true) WITH CHECK (true);
-- What a version says is history; whether it may run, and how its last run went, is not.
GRANT SELECT, INSERT, UPDATE (disabled_by, disabled_at, last_run_id, last_run_at, last_status)
    ON deep_agent_workflows TO maos_app;
GRANT SELECT, UPDATE (last_run_id, last_run_at, last_status) ON deep_agent_workflows TO maos_system;

-- Here and not in the code: whoever ends a run, were it the reconciler after a crash, its workflow knows of it.
CREATE FUNCTION note_workflow_run() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE deep_agent_workflows SET last_status = NEW.status WHERE org_id = NEW.org_id AND last_run_id = NEW.id;
        RETURN NULL;
    END IF;
    asked := jsonb_path_query_first(NEW.plan, '$.steps[*] ? (@.action == "deliver_output").parameters');
    UPDATE deep_agent_workflows SET last_run_id = NEW.id, last_run_at = NEW.started_at, last_status = NEW.status
    WHERE org_id = NEW.org_id AND name = asked ->> 'workflow' AND version = (asked ->> 'version')::integer;
    RETURN NULL;
END $$;
CREATE TRIGGER workflow_run_begins AFTER INSERT ON orchestrator_runs
    FOR EACH ROW WHEN (NEW.entrypoint = 'run_workflow') EXECUTE FUNCTION note_workflow_run();
CREATE TRIGGER workflow_run_goes_on AFTER UPDATE OF status ON orchestrator_runs
    FOR EACH ROW WHEN (NEW.entrypoint = 'run_workflow' AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION note_workflow_run();
