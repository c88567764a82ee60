-- What an executed action was judged by, how it failed, and the digest of the attempt as it ended.
-- Every new column is NULL in rows from before, whose hashes hold as they are.
ALTER TABLE agent_action_audit_log
    ADD COLUMN rules_version text CHECK (rules_version ~ '^[0-9a-f]{64}/[0-9]+$'),
    ADD COLUMN policy_version integer CHECK (policy_version >= 0),
    ADD COLUMN error text,
    ADD COLUMN result_digest text CHECK (result_digest ~ '^[0-9a-f]{64}$'),
    -- How the row is hashed; NULL: as in the first releases.
    ADD COLUMN chain_version integer CHECK (chain_version = 2),
    ADD CONSTRAINT agent_action_audit_log_error_check CHECK (error IS NULL OR NOT success);
-- Listings across organisations.
CREATE INDEX agent_action_audit_log_by_time ON agent_action_audit_log (recorded_at DESC, org_id DESC, sequence DESC);

-- Kept from the beginning of an attempt, so that whoever ends it, its audit row can say it.
ALTER TABLE agent_invocations
    ADD COLUMN digest text CHECK (digest ~ '^[0-9a-f]{64}$'),
    ADD COLUMN rules_version text CHECK (rules_version ~ '^[0-9a-f]{64}/[0-9]+$'),
    ADD COLUMN policy_version integer CHECK (policy_version >= 0);
