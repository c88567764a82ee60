"""The columns of what belongs to organisations as such; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text
from sqlmodel import Field, SQLModel

_TIME = DateTime(timezone=True)


class ClientLogin(SQLModel, table=True):
    """The login of a customer's own programs, bound to one organisation."""

    __tablename__ = "client_logins"

    org_id: UUID = Field(primary_key=True)
    login: str = Field(sa_type=Text)
    made_by: str = Field(sa_type=Text)
    made_at: datetime = Field(sa_type=_TIME)


class OrganizationDeletion(SQLModel, table=True):
    """A deletion that an owner has asked for, with the export that was written for it."""

    __tablename__ = "organization_deletions"

    id: UUID = Field(primary_key=True)
    org_id: UUID
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=_TIME)
    export_folder: str = Field(sa_type=Text)
    export_digest: str = Field(sa_type=Text)


class OrganizationTombstone(SQLModel, table=True):
    """What remains of a deleted organisation: who deleted it, and where its audit chain ended."""

    __tablename__ = "organization_tombstones"

    organization_id: UUID = Field(primary_key=True)
    slug: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_type=_TIME)
    confirmed_by: str = Field(sa_type=Text)
    deleted_at: datetime = Field(sa_type=_TIME)
    export_digest: str = Field(sa_type=Text)
    chain_sequence: int = Field(sa_type=BigInteger)
    chain_hash: str = Field(sa_type=Text)


class EngineLabel(SQLModel, table=True):
    """What customers read instead of an engine's type."""

    __tablename__ = "engine_labels"

    engine_type: str = Field(primary_key=True, sa_type=Text)
    label: str = Field(sa_type=Text)
