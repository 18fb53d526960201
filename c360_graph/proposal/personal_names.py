"""Column names that speak of people or hold secrets: readable tables of patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from c360_graph.mapping.catalog import ColumnType
from c360_graph.proposal.naming import name_words, singular_words, word_set

Kind = Literal[
    "credential",
    "e-mail address",
    "phone number",
    "card number",
    "bank account",
    "national id",
    "network address",
    "device id",
    "user name",
    "person's name",
    "postal address",
    "birth date",
    "location",
    "special category",
    "pay",
]

IDENTIFYING: frozenset[Kind] = frozenset(
    [
        "e-mail address",
        "phone number",
        "national id",
        "card number",
        "bank account",
        "device id",
        "user name",
    ]
)
"""Kinds of personal data that mean the same person, or thing, in whichever database they are."""

_TEXT = frozenset(["text", "varchar", "bpchar", "name", "citext"])
_DOCUMENT = frozenset(["json", "jsonb", "hstore", "xml"])
_WHOLE = frozenset(["int4", "int8", "numeric"])
_SMALL = frozenset(["int2"])
_MOMENT = frozenset(["date", "timestamp", "timestamptz"])
_REAL = frozenset(["numeric", "float4", "float8", "point", "geometry", "geography"])
_ADDRESS = frozenset(["inet"])
_DEVICE = frozenset(["macaddr", "macaddr8", "uuid"])
_SECRET = _TEXT | _DOCUMENT | {"bytea", "uuid"}
"""A hash or a token is none of a number, a moment and a yes or no."""
_ENUM = "enum"


@dataclass(frozen=True)
class _NamePattern:
    """What the words of a name, joined by `_` and with one before and after, show.

    `ends` has to be their end, but for words that only qualify; `holds` may stand anywhere in a name
    that does not end with a word which only tells about it.
    """

    kind: Kind
    types: frozenset[str]
    ends: str = "(?!)"
    holds: str = "(?!)"


_PASSWORD = (
    "password|passwd|pwd|passphrase|passwort|kennwort|contrasena|senha|wachtwoord|mot_de_passe"
)
_KEYS = (
    "private|secret|api|access|auth|authentication|authorization|encryption|signing|hmac|master|ssh"
    "|activation|session|recovery|service|webhook|shared|symmetric|app|client|consumer|deploy|mac"
    "|license|licence|account|admin|root|jwt|aes|rsa|reset|confirmation|verification|invite|stream"
)
_CODES = (
    "recovery|backup|security|verification|activation|auth|authorization|otp|login|reset|pin|access"
    "|confirmation|mfa|two_factor|2_fa|scratch"
)
_PEOPLE_WORDS = (
    "contact|customer|client|patient|employee|person|member|holder|recipient|guest|student|owner"
    "|passenger|driver|doctor|physician|teacher|father|mother|spouse|parent|guardian|beneficiary"
    "|payee|buyer|applicant|candidate|subscriber|sender|billing|shipping|signer|attendee"
)
_ID_NUMBERS = (
    "ssn|sin|nin|nino|nif|dni|nie|nir|bsn|cpf|curp|pesel|cpr|hetu|egn|oib|cnp|aadhaar|aadhar|itin|npi"
    "|mrn|personnummer|codice_fiscale|fiscal_code|sozialversicherungsnummer|steuernummer|steuer_?id"
    "|rodne_cislo|cedula"
)

# In this order: the first that fits, and whose types the column's is one of, counts. ISO 27701 and
# GDPR article 9 name the kinds.
_PATTERNS = (
    _NamePattern(
        "credential",
        _SECRET,
        holds=rf"_(?:{_PASSWORD}|secret|credential)_|_(?:security|secret|password)_(?:answer|hint)_|^_encrypted_",
        ends=rf"_(?:token|salt|otp|totp|mfa|jwt|passcode|cvv|cvc|cvn|(?:{_KEYS})_key|(?:{_CODES})_code"
        r"|(?:otp|totp|mfa)_seed|connection_string|(?:secret|security)_question)"
        r"|^_(?:user_|db_|login_|admin_|smtp_|ftp_|old_|new_|member_|mail_)?(?:pass|pw)"
        r"|^_(?:(?:user|card|login|atm|account|access|customer|member|employee)_)?pin(?:_(?:code|number))?"
        r"|^_key_(?:hash|digest)",
    ),
    _NamePattern(
        "credential",
        _WHOLE | _SMALL,
        ends=r"_(?:cvv|cvc|cvn|passcode|otp|(?:card_)?security_code)"
        r"|^_(?:(?:user|card|login|atm|account|access|customer|member|employee)_)?pin(?:_(?:code|number))?",
    ),
    _NamePattern(
        "e-mail address", _TEXT, ends=r"_(?:e_)?(?:email|mail|correo|courriel)(?:_addr(?:ess)?)?"
    ),
    _NamePattern(
        "phone number",
        _TEXT | _WHOLE,
        ends=r"_(?:phone|telephone|telefon|tel|mobile|msisdn|fax|cell(?:_?phone)?|whatsapp|handy)"
        r"(?:_(?:no|nr|num|number|nummer))?|_(?:telefon|handy|mobil|fax)nummer|_contact_(?:no|number)",
    ),
    _NamePattern(
        "card number",
        _TEXT | _WHOLE,
        ends=r"_(?:pan|cc|card|kreditkarte)_(?:no|nr|num|number|nummer)"
        r"|_(?:pan|credit_?card|debit_?card|kreditkarte|kreditkartennummer)",
    ),
    _NamePattern(
        "bank account",
        _TEXT | _WHOLE,
        holds=r"_(?:iban|bban|clabe|kontonummer)_",
        ends=r"_(?:bank_(?:account|acct)|sort_code|routing_(?:no|num|number))"
        r"|_(?:account|acct)_(?:no|num|number)",
    ),
    _NamePattern(
        "national id",
        _TEXT | _WHOLE,
        holds=rf"_(?:{_ID_NUMBERS}|passport|driver_licen[cs]e|driving_licen[cs]e|social_security"
        r"|national_insurance|sozialversicherung)_",
        ends=r"_(?:national|citizen|personal|identity|identification|nhs|medicare|tax|taxpayer|tax_payer"
        r"|tax_identification|vat|id)_(?:no|nr|num|number|code)"
        r"|_(?:national|citizen|personal)_id|_(?:national|tax)_identification|_(?:id|identity)_card",
    ),
    _NamePattern(
        # A number of such a name is the key of a table of taxes.
        "national id",
        _TEXT,
        ends=r"_(?:(?:tax|ssn|passport)_?id|tin|vat|tax_payer(?:_id)?|taxpayer(?:_id)?)",
    ),
    _NamePattern(
        "network address",
        _TEXT | _ADDRESS,
        ends=r"_(?:ip|ipv_?[46]|remote)(?:_addr(?:ess)?)|_(?:ip|ipv(?:_[46])?)",
    ),
    _NamePattern(
        "device id",
        _TEXT | _WHOLE | _DEVICE,
        ends=r"_(?:imei|imsi|iccid|idfa|idfv|gaid|aaid|udid|mac(?:_addr(?:ess)?)?|advertising_id"
        r"|android_id)",
    ),
    _NamePattern(
        "user name",
        _TEXT,
        ends=r"_(?:username|(?:user|login|screen|nick|account)_name|nickname|login(?:_id)?|nick)",
    ),
    _NamePattern(
        "person's name",
        _TEXT,
        ends=r"_(?:first|last|full|middle|maiden|given|family|legal|birth|preferred|fore|sur|f|l"
        rf"|{_PEOPLE_WORDS})_name"
        r"|_(?:surname|forename|firstname|lastname|fullname|fname|lname|mname|vorname|nachname|prenom"
        r"|apellido|familienname|geburtsname|card_?holder)|_name_(?:first|last|full|middle|given|family)",
    ),
    _NamePattern(
        "postal address",
        _TEXT | _DOCUMENT,
        ends=r"_(?:street(?:_(?:name|no|nr|num|number))?|strasse|adresse|direccion|indirizzo|endereco"
        r"|(?<!wallet_)(?<!contract_)(?<!web_)(?<!memory_)(?<!base_)(?<!host_)(?<!server_)"
        r"(?:address|addr)(?:_line)?|house_(?:no|nr|num|number)|hausnummer)",
    ),
    _NamePattern(
        "postal address",
        _TEXT | _WHOLE,
        ends=r"_(?:post_?code|postal_?code|zip(?:_?code)?|plz|postleitzahl|code_postal)",
    ),
    _NamePattern(
        "birth date",
        _TEXT | _MOMENT | _WHOLE | _SMALL,
        ends=r"_(?:dob|yob|birth_?(?:date|day|time|datetime|year|month|place)"
        r"|(?:date|day|month|year|time|place|city|country)_of_birth|born(?:_(?:on|at|in))?"
        r"|geburts(?:datum|tag|jahr|ort)|date_(?:de_)?naissance|fecha_(?:de_)?nacimiento"
        r"|data_(?:de_)?nascimento)",
    ),
    _NamePattern(
        "location",
        _TEXT | _REAL,
        ends=r"_(?:lat|latitude|lon|lng|longitude|(?:geo|spatial)_?location|gps(?:_\w+)?|coordinate)",
    ),
    _NamePattern("location", _REAL, ends="_long"),
    _NamePattern(
        "special category",
        _TEXT | {_ENUM},
        ends=r"_(?:religion|ethnicity|ethnic_(?:group|origin)|race|caste|sexual_orientation"
        r"|political_(?:party|opinion|view)|disability|diagnos[ie]s|blood_(?:type|group)|genome"
        r"|union_membership|medical_(?:condition|history)|hiv_status|nationality|citizenship)",
    ),
    _NamePattern(
        "pay", _TEXT | _WHOLE | _REAL | {"money"}, ends=r"(?<!_min)(?<!_max)_(?:salary|wage)"
    ),
)
_QUALIFIERS = (
    "(?:_(?:hash|hashed|digest|encrypted|enc|crypt|bcrypt|cipher|ciphertext|sha|md|iv|raw|plain|clean"
    "|lower|normalized|normalised|canonical|formatted|text|value|string|data|source_value|primary"
    "|secondary|main|alt|alternate|alternative|old|new|prev|previous|current|former|work|home|business"
    r"|private|personal|office|e_164|intl|constraint|history|\d+))*_$"
)
"""Words at the end of a name that change nothing of what it holds."""
_COMPILED = tuple(
    (p.kind, p.types, re.compile(f"(?:{p.ends}){_QUALIFIERS}"), re.compile(p.holds))
    for p in _PATTERNS
)
# `email_verified`, `token_type` or `password_reset_count` tell about it and are not it.
_ABOUT = word_set(
    "active action age algo algorithm allowed at attempt authority category change changed class column"
    " comment config configuration confirmed count counter country created date day days description"
    " disabled domain duration enabled error event expiration expire expired expires expiry failure"
    " field file filename flag footer format frequency group header hour id ids interval issuer kind"
    " label language length level lifetime limit link locale log max message method min minute mode"
    " modified name note on option optional owner page path pattern policy pref preference prefix"
    " provider quota reason regex required requested retry role rotation rule scheme scope score second"
    " sent setting setup size source state status strength subject suffix symbol table template time"
    " timestamp title total tries ttl type updated uri url used valid validated verified version"
)
_SAYS_OTHERWISE = re.compile(
    # What was taken out of a token is none; a page's token opens nothing.
    r"_from_(?:token|cookie|session|header|jwt)_|_(?:page|sync|next|continuation|cursor|csrf)_token_"
    r"|^_(?:is|has|can|must|should|use|uses|allow|allows|enable|require|requires)_"
)
_PEOPLE = word_set(
    "applicant attendee author candidate child client contact customer doctor donor driver editor"
    " employee guest member owner parent participant partner passenger patient person physician player"
    " recipient staff student subscriber teacher user visitor voter"
)
"""A name or an address here is a person's; of a product or a port it is not."""
_OF_PLACES_TOO = frozenset(["location", "postal address"])
_PLACES = word_set(
    "port store shop warehouse branch station venue depot place airport landmark stadium"
)
_SECRET_TABLES = re.compile(r"_(?:secret|credential|password|token|api_key)_$")
_SECRET_CONTENT = re.compile(r"^_(?:value|data|hash|digest|content|payload|key|code)_$")


def kind_by_name(table_name: str, column_name: str, column_type: ColumnType) -> Kind | None:
    """What a column holds, by its name and type."""
    base = _base(column_type.element or column_type)
    found = name_words(column_name)
    joined = f"_{'_'.join(found)}_"
    of = set(singular_words(table_name)[-1:])
    if not _SAYS_OTHERWISE.search(joined):
        tells_about = bool(found) and found[-1] in _ABOUT
        for kind, types, ends, holds in _COMPILED:
            if base not in types:
                continue
            if ends.search(joined) or (not tells_about and holds.search(joined)):
                return None if kind in _OF_PLACES_TOO and of & _PLACES else kind
    return _by_table(table_name, joined, base, of)


def _by_table(table_name: str, joined: str, base: str, of: set[str]) -> Kind | None:
    """What a column holds whose name says little, by its table or its type alone."""
    table = f"_{'_'.join(name_words(table_name))}_"
    if base in _SECRET and _SECRET_CONTENT.search(joined) and _SECRET_TABLES.search(table):
        return "credential"
    if base in _TEXT and joined in ("_name_", "_display_name_") and of & _PEOPLE:
        return "person's name"
    if base in _ADDRESS:
        return "network address"
    return "device id" if base in ("macaddr", "macaddr8") else None


def _base(column_type: ColumnType) -> str:
    """The type's own name: of an extension's type without the schema that it was put into."""
    if column_type.kind == "e":
        return _ENUM
    return column_type.base.rpartition(".")[2]
