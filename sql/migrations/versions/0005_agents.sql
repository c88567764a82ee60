-- What the agents of a run note for each other.

CREATE TABLE agent_shared_memory (
    org_id uuid NOT NULL REFERENCES organizations (id),
    run_id uuid NOT NULL,
    key text NOT NULL CHECK (key ~ '^[a-z0-9][a-z0-9_.-]{0,99}$'),
    value text NOT NULL CHECK (length(value) BETWEEN 1 AND 20000),
    written_by text NOT NULL,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    written_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, key),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id)
);

ALTER TABLE agent_shared_memory ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_shared_memory FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_shared_memory TO maos_app, maos_owner
    USING (org_id = (SELECT current_org())) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON agent_shared_memory TO maos_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON agent_shared_memory TO maos_app, maos_system;
