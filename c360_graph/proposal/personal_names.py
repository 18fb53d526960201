"""Column names that speak of people: one readable table of patterns."""

from __future__ import annotations

import re
from typing import Literal

from c360_graph.mapping.catalog import ColumnType
from c360_graph.proposal.naming import singular_words, words

Kind = Literal[
    "credential",
    "e-mail address",
    "phone number",
    "card number",
    "bank account",
    "national id",
    "network address",
    "device id",
    "person's name",
    "postal address",
    "birth date",
    "location",
    "special category",
]

_TEXT = frozenset(["text", "varchar", "bpchar", "name", "citext"])
_WHOLE = frozenset(["int4", "int8", "numeric"])
_MOMENT = frozenset(["date", "timestamp", "timestamptz"])
_REAL = frozenset(["numeric", "float4", "float8", "point", "geometry", "geography"])
_ADDRESS = frozenset(["inet"])
_DEVICE = frozenset(["macaddr", "macaddr8", "uuid"])

# Looked for in the name's words joined by `_`, with one before and after it; the first that fits, and
# whose types the column's is one of, counts. ISO 27701 and GDPR article 9 name the kinds.
_PATTERNS: tuple[tuple[Kind, frozenset[str], str], ...] = (
    (
        "credential",
        _TEXT | _WHOLE | {"bytea"},
        r"_(password|passwd|pwd|passphrase|passcode|passwort|secret|salt|credentials?|private_key|api_key"
        r"|access_key|recovery_codes?|security_(code|answer)|cvv2?|cvc2?|pin(_code)?|otp(_secret)?|totp|mfa"
        r"|(access|refresh|auth|api|bearer|reset|session|id|oauth|remember|push)_token)_|^_token_$",
    ),
    ("e-mail address", _TEXT, r"_(e_?mails?|mail(_address)?|correo|courriel)_"),
    (
        "phone number",
        _TEXT | _WHOLE,
        r"_(phones?|telephone|telefon|tel|mobile|msisdn|fax|cell(phone)?|whatsapp|handy(nummer)?)"
        r"(_(no|nr|num|number|e164))?_$",
    ),
    (
        "card number",
        _TEXT | _WHOLE,
        r"_(pan|cc|credit_?card|debit_?card|card|kreditkarte)(_(no|nr|num|number|nummer))_"
        r"|_(pan|credit_?card|debit_?card|kreditkarte)_$",
    ),
    (
        "bank account",
        _TEXT | _WHOLE,
        r"_(iban|bban|clabe|bank_account|kontonummer|sort_code|routing_(no|number)|account_number)_",
    ),
    (
        "national id",
        _TEXT | _WHOLE,
        r"_(ssn|sin|nin|nino|nif|dni|nie|nir|bsn|cpf|curp|pesel|pesel|cpr|hetu|egn|oib|aadhaar"
        r"|personnummer|codice_fiscale|sozialversicherungsnummer|steuer_?id|rodne_cislo"
        r"|social_security|national_(id|insurance|number)|nhs_(no|number)|tax_?(id|payer)|itin"
        r"|passport|driver_?s?_licen[cs]e|driving_licen[cs]e|id_card|identity_card)"
        r"(_(no|nr|num|number|id))?_",
    ),
    ("network address", _TEXT | _ADDRESS, r"_(ip|ipv4|ipv6|ip_?addr(ess)?|remote_addr)_"),
    (
        "device id",
        _TEXT | _WHOLE | _DEVICE,
        r"_(imei|imsi|iccid|idfa|gaid|aaid|mac(_addr(ess)?)?|advertising_id|android_id)_",
    ),
    (
        "person's name",
        _TEXT,
        r"_(first|last|full|middle|maiden|given|family|legal|birth|contact|customer|client|patient"
        r"|employee|person|member|holder|recipient|guest|student|owner|card_?holder)_?name_"
        r"|_(surname|forename|lastname|firstname|fullname|vorname|nachname|prenom|apellidos?|cardholder)_",
    ),
    (
        "postal address",
        _TEXT,
        r"_(street|strasse|address|addr|adresse|direccion|post_?code|postal_?code|zip(_?code)?|plz)"
        r"(_?(line)?_?\d)?_",
    ),
    (
        "birth date",
        _TEXT | _MOMENT,
        r"_(dob|birth_?(date|day)|date_of_birth|born(_on|_at)?|geburts(datum|tag))_",
    ),
    (
        "location",
        _TEXT | _REAL,
        r"_(lat|latitude|lon|lng|longitude|geo_?location|gps|coordinates?)_",
    ),
    (
        "special category",
        _TEXT,
        r"_(religion|ethnicity|race|sexual_orientation|political_(party|opinion|view)s?|disability"
        r"|diagnos[ie]s|blood_(type|group)|genome|union_membership)_",
    ),
)
_COMPILED = tuple((kind, types, re.compile(pattern)) for kind, types, pattern in _PATTERNS)
# A name or an address here is a person's; of a product or a port it is not.
_PEOPLE = frozenset(
    [
        "person",
        "customer",
        "client",
        "user",
        "employee",
        "contact",
        "patient",
        "member",
        "student",
        "guest",
        "passenger",
        "driver",
        "subscriber",
        "recipient",
        "applicant",
    ]
)
_OF_PLACES_TOO = frozenset(["location", "postal address"])
_PLACES = frozenset(["port", "store", "shop", "warehouse", "branch", "station", "venue", "depot"])
# `email_verified` or `phone_status` tell about it and are not it.
_ABOUT = frozenset(
    ["verified", "valid", "status", "type", "kind", "count", "domain", "provider", "algorithm"]
)


def kind_by_name(table_name: str, column_name: str, column_type: ColumnType) -> Kind | None:
    """What a column holds, by its name and type."""
    base = (column_type.element or column_type).base
    found = words(column_name)
    if not found or found[-1] in _ABOUT:
        return None
    joined = f"_{'_'.join(found)}_"
    of = set(singular_words(table_name)[-1:])
    for kind, types, pattern in _COMPILED:
        if base in types and pattern.search(joined):
            return None if kind in _OF_PLACES_TOO and of & _PLACES else kind
    if base in _TEXT and found == ("name",) and of & _PEOPLE:
        return "person's name"
    if base in _ADDRESS:
        return "network address"
    return "device id" if base in ("macaddr", "macaddr8") else None
