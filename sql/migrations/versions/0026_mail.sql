-- Every message that a run has taken from a mailbox: whose it is, and what became of it.

CREATE TABLE mail_messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations (id),
    mailbox text NOT NULL CHECK (length(mailbox) BETWEEN 1 AND 2000),
    -- What the mailbox knows it by: validity and UID, or the name or digest of its file.
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 1000),
    -- Rehearsals take nothing from runs that are none.
    rehearsal boolean NOT NULL,
    run_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    status text NOT NULL DEFAULT 'claimed' CHECK (status IN ('claimed', 'free', 'settled')),
    claims integer NOT NULL DEFAULT 1 CHECK (claims >= 0),
    message_id text,
    thread text,
    fingerprint text,
    sender text,
    subject text,
    kind text CHECK (kind IN ('person', 'auto_reply', 'bounce', 'list', 'own')),
    faults jsonb NOT NULL DEFAULT '[]',
    outcome text CHECK (outcome IN ('replied', 'forwarded', 'noted', 'ignored', 'duplicate', 'unreadable', 'gone',
                                    'rejected', 'undecided', 'in_doubt', 'given_up')),
    reason text,
    claimed_at timestamptz NOT NULL,
    settled_at timestamptz,
    flagged_at timestamptz,
    CHECK ((status = 'settled') = (settled_at IS NOT NULL)),
    CHECK (status <> 'settled' OR outcome IS NOT NULL),
    -- Of two runs that overlap, one takes a message.
    UNIQUE (org_id, mailbox, rehearsal, key),
    FOREIGN KEY (org_id, run_id) REFERENCES orchestrator_runs (org_id, id)
);
-- Of copies of a message, whoever reads them, one is handled.
CREATE UNIQUE INDEX mail_messages_once ON mail_messages (org_id, mailbox, rehearsal, fingerprint)
    WHERE fingerprint IS NOT NULL AND outcome IS DISTINCT FROM 'duplicate';
CREATE INDEX mail_messages_open ON mail_messages (org_id, mailbox) WHERE status <> 'settled';
CREATE INDEX mail_messages_unflagged ON mail_messages (org_id, mailbox)
    WHERE status = 'settled' AND flagged_at IS NULL AND NOT rehearsal;
CREATE INDEX mail_messages_run ON mail_messages (org_id, run_id, number);
CREATE INDEX mail_messages_list ON mail_messages (org_id, claimed_at DESC, id DESC);
CREATE INDEX mail_messages_list_by_status ON mail_messages (org_id, status, claimed_at DESC, id DESC);

ALTER TABLE mail_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_messages FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON mail_messages TO maos_app, maos_owner
    USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid) WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY housekeeping ON mail_messages TO maos_system USING (true) WITH CHECK (true);
-- Which message a row is of cannot be changed, and none is forgotten: it would be read again.
GRANT SELECT, INSERT, UPDATE (run_id, number, status, claims, message_id, thread, fingerprint, sender, subject, kind,
    faults, outcome, reason, claimed_at, settled_at, flagged_at) ON mail_messages TO maos_app;
GRANT SELECT ON mail_messages TO maos_system;
