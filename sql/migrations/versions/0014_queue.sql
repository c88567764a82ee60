-- The queue as it is listed: the riskiest first, then the oldest; of everybody, and of one organisation.
-- `sql/approval_queue.py` repeats the expression word for word: else it is not found.
CREATE INDEX agent_pending_actions_queue ON agent_pending_actions (
    (CASE risk WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END), started_at, id
) WHERE status = 'pending';
CREATE INDEX agent_pending_actions_queue_of_org ON agent_pending_actions (
    org_id, (CASE risk WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END), started_at, id
) WHERE status = 'pending';
-- What an approved plan has granted.
CREATE INDEX agent_pending_actions_granted ON agent_pending_actions (granted_by) WHERE granted_by IS NOT NULL;
