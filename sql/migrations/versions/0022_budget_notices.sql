-- Notices of budgets stand in one outbox with those of approvals, so that a person hears of both in one message.

ALTER TABLE approval_notices
    ALTER COLUMN approval_id DROP NOT NULL,
    ALTER COLUMN revision DROP NOT NULL,
    ALTER COLUMN stage DROP NOT NULL,
    ALTER COLUMN escalated DROP NOT NULL,
    ALTER COLUMN reminder DROP NOT NULL,
    ADD COLUMN budget_id uuid,
    ADD COLUMN period_start date,
    ADD COLUMN percent smallint CHECK (percent BETWEEN 1 AND 100),
    DROP CONSTRAINT approval_notices_kind_check,
    ADD CONSTRAINT approval_notices_kind_check
        CHECK (kind IN ('requested', 'reminder', 'escalated', 'expired', 'threshold')),
    -- Of an approval, or of a threshold: never of both, and of each with all that says which.
    ADD CONSTRAINT approval_notices_of_one_thing CHECK (CASE kind
        WHEN 'threshold' THEN num_nonnulls(budget_id, period_start, percent) = 3
            AND num_nonnulls(approval_id, revision, stage, escalated, reminder) = 0
        ELSE num_nonnulls(budget_id, period_start, percent) = 0
            AND num_nonnulls(approval_id, revision, stage, escalated, reminder) = 5 END),
    ADD FOREIGN KEY (org_id, budget_id, period_start) REFERENCES budget_periods (org_id, budget_id, period_start);
-- Of each threshold everybody is told once in each period.
CREATE UNIQUE INDEX approval_notices_thresholds
    ON approval_notices (budget_id, period_start, percent, channel, address) WHERE kind = 'threshold';

-- The runs that wait for more of a budget: looked for whenever somebody raises it, and by housekeeping.
CREATE INDEX agent_pending_actions_short ON agent_pending_actions (org_id, (payload ->> 'budget'))
    WHERE status = 'pending' AND kind = 'budget';
