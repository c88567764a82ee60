"""Alembic's environment: the connection comes from `sql.database`, already acting as `maos_owner`."""

from alembic import context
from sqlmodel import SQLModel

import sql.agent_tables
import sql.approval_tables
import sql.audit_tables
import sql.billing_tables
import sql.budget_tables
import sql.learning_tables
import sql.mail_tables
import sql.notice_tables
import sql.organization_tables
import sql.policy_tables
import sql.retention_tables
import sql.reviewer_tables
import sql.rules_tables
import sql.tables
import sql.workflow_tables  # noqa: F401 - registers every table in the metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
with context.begin_transaction():
    context.run_migrations()
