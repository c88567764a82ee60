"""What is done about a message: by what was decided, within what the desk allows, and never where the message says."""

from collections.abc import Callable, Mapping

from maos.actions import JsonObject
from maos.engines import EngineType
from maos.mail import TakenMail, line_of
from maos.mail_desk import AnsweredMail, MailDecision, MailDesk, RoutedMail, act_step
from maos.mail_plan import TAKE, place_of
from maos.plans import Agent, OnFailure, OnReject, PlanStep

_LONGEST_SUBJECT = 250
_ACTIONS = {MailDecision.REPLY: "reply_mail", MailDecision.FORWARD: "forward_mail", MailDecision.TASK: "note_task"}
_AGENT = Agent(name="mail clerk", persona="You send what was decided, to whom it was decided.")


def routed(mail: TakenMail, desk: MailDesk, answer: AnsweredMail) -> RoutedMail:
    """Return what is done about a message: a task for people wherever what was decided cannot be done."""
    category = desk.category(answer.category) or desk.categories[-1]
    decision, reason = answer.decision, answer.reason
    if decision not in category.decisions:
        decision, reason = MailDecision.TASK, f"{category.name} does not allow {answer.decision}; {reason}"
    elif decision is MailDecision.REPLY and mail.answer_to is None:
        decision, reason = MailDecision.TASK, f"nobody can be answered; {reason}"
    elif decision is MailDecision.FORWARD and desk.colleague(answer.colleague) is None:
        decision, reason = MailDecision.TASK, f"there is no such colleague; {reason}"
    return RoutedMail(
        number=mail.number,
        category=category.name,
        decision=decision,
        reason=line_of(reason, 300),
        fields=answer.fields,
    )


def act_of(route: RoutedMail, mail: TakenMail, desk: MailDesk, answer: AnsweredMail) -> PlanStep | None:
    """Return the step that does what was decided; none where nothing is done."""
    step = act_step(route.decision, mail.number)
    if step is None:
        return None
    place = place_of(mail.number)
    return PlanStep(
        id=step,
        agent=_AGENT,
        phase=f"Message {mail.number}",
        engine=EngineType.INTERNAL_SERVICE,
        action=_ACTIONS[route.decision],
        parameters=_PARAMETERS[route.decision](mail, desk, answer),
        inputs={"mail": f"{TAKE}.messages.{place}", "answer": f"answer_{place}", "route": f"route_{place}"},
        # What becomes of one message keeps no other from being handled.
        on_failure=OnFailure.SKIP,
        on_reject=OnReject.SKIP,
    )


def _reply(mail: TakenMail, desk: MailDesk, _answer: AnsweredMail) -> JsonObject:
    above = [*mail.references, *((mail.message_id,) if mail.message_id else ())]
    return {
        "number": mail.number,
        "to": [mail.answer_to],
        "subject": _prefixed("Re: ", mail.subject),
        # A place for the outcome, filled in by the letter: no word of a message or a writer is ever a template.
        "body": "{{ answer.draft }}",
        "signature": desk.signature,
        "in_reply_to": mail.message_id,
        "references": list(dict.fromkeys(above)),
    }


def _forward(mail: TakenMail, desk: MailDesk, answer: AnsweredMail) -> JsonObject:
    colleague = desk.colleague(answer.colleague)
    return {
        "number": mail.number,
        "to": list(colleague.addresses) if colleague else [],
        "subject": _prefixed("Fwd: ", mail.subject),
        "body": "{{ answer.summary }}",
    }


def _task(mail: TakenMail, _desk: MailDesk, _answer: AnsweredMail) -> JsonObject:
    return {"number": mail.number}


_PARAMETERS: Mapping[MailDecision, Callable[[TakenMail, MailDesk, AnsweredMail], JsonObject]] = {
    MailDecision.REPLY: _reply,
    MailDecision.FORWARD: _forward,
    MailDecision.TASK: _task,
}


def _prefixed(prefix: str, subject: str) -> str:
    bare = subject or "(no subject)"
    named = bare if bare.lower().startswith(prefix.lower()) else prefix + bare
    return line_of(named, _LONGEST_SUBJECT)
