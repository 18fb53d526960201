"""E-mail about a failed run, handed in to a mail server of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360_graph.failure_notice import FailureNotice, mail_server, send
from c360_graph.settings import Settings
from c360_graph_tests.smtp_server import certificate, smtp_server

NOTICE = FailureNotice(
    run_id="4c1f",
    job="build_graph",
    message="ann@example.com is twice in accounts",
    failed_steps=("shop__accounts", "neo4j_graph"),
    run_url="http://dagster.example/runs/4c1f",
)


def told(**given: object) -> str | None:
    """What is said of a mail with these settings."""
    base = {
        "c360_failure_email_to": "ann@ops.example, bob@ops.example",
        "c360_smtp_host": "localhost",
    }
    server = mail_server(Settings.model_validate(base | given))
    assert server is not None
    return send(NOTICE, server)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


def test_the_mail_names_the_run_and_its_steps_and_gives_no_reason() -> None:
    with smtp_server() as box:
        assert (
            told(c360_smtp_port=box.port, c360_smtp_tls="none", c360_smtp_from="etl@ops.example")
            is None
        )
    (mail,) = box.mails
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "c360_graph: build_graph failed",
        "etl@ops.example",
        "ann@ops.example, bob@ops.example",
    )
    assert "http://dagster.example/runs/4c1f" in mail.get_content()
    assert "Failed steps: shop__accounts, neo4j_graph" in mail.get_content()
    assert "twice" not in mail.as_string()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_the_connection_is_encrypted_before_the_login(
    pem: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    login = {"c360_smtp_user": "etl", "c360_smtp_password": "right", "c360_smtp_tls": tls}
    with smtp_server(pem=pem, from_start=tls == "tls") as box:
        # Nobody vouches for it.
        assert told(c360_smtp_port=box.port, **login) == (
            "the certificate of the mail server cannot be verified"
        )
        assert (box.mails, box.logins) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert told(c360_smtp_port=box.port, **login) is None
    assert (box.encrypted, box.logins) == ([True], [("etl", "right")])


def test_a_server_without_encryption_gets_neither_login_nor_mail() -> None:
    with smtp_server() as box:
        why = told(c360_smtp_port=box.port, c360_smtp_user="etl", c360_smtp_password="right")
    assert why == "the mail server does not support what C360_SMTP_TLS or C360_SMTP_USER asks for"
    assert (box.mails, box.logins) == ([], [])


def test_what_goes_wrong_is_said_without_addresses_and_passwords() -> None:
    plain = {"c360_smtp_tls": "none"}
    with smtp_server(refuse="bob@ops.example") as box:
        port = box.port
        assert told(c360_smtp_port=port, **plain) == "the mail server refused 1 of 2 recipients"
        wrong = {"c360_smtp_user": "etl", "c360_smtp_password": "wrong"}
        assert told(c360_smtp_port=port, **plain, **wrong) == "the mail server answered 535"
        alone = {"c360_failure_email_to": "bob@ops.example"}
        assert told(c360_smtp_port=port, **plain, **alone) == (
            "the mail server refused every recipient"
        )
    assert len(box.mails) == 1
    assert told(c360_smtp_port=port, **plain) == (
        "the mail server cannot be reached: ConnectionRefusedError"
    )
    assert told(c360_smtp_port=port, c360_smtp_from="a@b.example\nBcc: c@d.example") == (
        "an address in C360_FAILURE_EMAIL_TO or C360_SMTP_FROM cannot be used"
    )
    assert mail_server(Settings.model_validate({"c360_failure_email_to": " , "})) is None
