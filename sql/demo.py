"""The organisation of the examples, made once by the embedded stack."""

from sql.organizations import ensure_member, ensure_organization
from sql.session import system_session

_MEMBERS = (
    ("owner@demo.example", "Demo Owner", "owner"),
    ("author@demo.example", "Demo Author", "author"),
    ("reviewer@demo.example", "Demo Reviewer", "reviewer"),
)


def ensure_demo_organization() -> None:
    """Create the organisation `demo` with an owner, an author and a reviewer, unless they exist."""
    with system_session() as session:
        org_id = ensure_organization("demo", "Demo Trading Ltd", session=session)
        for email, name, role in _MEMBERS:
            ensure_member(email, name, role, org_id=org_id, session=session)
