"""The blocks of the world outside, as a run finds them in Prefect."""

import pytest
from pydantic import SecretStr

from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks
from deployments.embedded.registration import _register_block
from tasks.connections import mail_server, webhooks


@pytest.mark.usefixtures("prefect_api")
def test_a_run_finds_the_blocks_from_the_start_and_as_operators_fill_them_in() -> None:
    paths = [_register_block(MailServer), _register_block(Webhooks)]

    assert paths == [
        "/block_types/slug/mail-server/block_documents/name/default",
        "/block_types/slug/webhooks/block_documents/name/default",
    ]
    assert (mail_server().host, mail_server().configured, webhooks().allow_private) == ("", False, False)
    filled = MailServer(host="mail.example", sender="runs@maos.example", password=SecretStr("correct horse"))
    filled.save("default", overwrite=True)
    _register_block(MailServer)
    assert mail_server().password == SecretStr("correct horse")
    MailServer().save("default", overwrite=True)
