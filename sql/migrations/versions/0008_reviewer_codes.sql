-- One-time codes of reviewers. People belong to several organisations, and so do their codes.

CREATE TABLE reviewer_codes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id),
    -- Encrypted, or the database refuses it. A secret that is revoked is kept nowhere.
    sealed_secret text CHECK (sealed_secret ~ '^gAAAA[A-Za-z0-9_=-]{60,}$'),
    enrolled_at timestamptz NOT NULL,
    enrolled_by text NOT NULL,
    last_used_step bigint NOT NULL DEFAULT 0 CHECK (last_used_step >= 0),
    wrong_codes integer NOT NULL DEFAULT 0 CHECK (wrong_codes >= 0),
    last_wrong_at timestamptz,
    locked_until timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (sealed_secret IS NOT NULL))
);
CREATE UNIQUE INDEX reviewer_codes_one_in_force ON reviewer_codes (user_id) WHERE revoked_at IS NULL;

-- A used code stays used, whoever writes: otherwise an older one would be good again.
CREATE FUNCTION refuse_older_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the last used step of a one-time code only grows' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER steps_only_grow BEFORE UPDATE ON reviewer_codes FOR EACH ROW
    WHEN (NEW.last_used_step < OLD.last_used_step) EXECUTE FUNCTION refuse_older_step();

ALTER TABLE reviewer_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE reviewer_codes FORCE ROW LEVEL SECURITY;
-- As `users`: an organisation sees the codes of its members alone, and a wall on both sides of an update.
CREATE POLICY members ON reviewer_codes TO maos_app, maos_owner
    USING (EXISTS (SELECT FROM user_organizations m
                   WHERE m.user_id = reviewer_codes.user_id AND m.org_id = (SELECT current_org())))
    WITH CHECK (EXISTS (SELECT FROM user_organizations m
                        WHERE m.user_id = reviewer_codes.user_id AND m.org_id = (SELECT current_org())));
CREATE POLICY housekeeping ON reviewer_codes TO maos_system USING (true) WITH CHECK (true);

-- The application checks and counts codes. It cannot enrol, exchange or revoke, nor see who of another organisation did.
GRANT SELECT (id, user_id, sealed_secret, last_used_step, wrong_codes, locked_until, revoked_at),
    UPDATE (last_used_step, wrong_codes, last_wrong_at, locked_until) ON reviewer_codes TO maos_app;
GRANT SELECT, INSERT, UPDATE (sealed_secret, revoked_at, revoked_by) ON reviewer_codes TO maos_system;
