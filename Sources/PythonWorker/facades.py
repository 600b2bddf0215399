"""What scripts may import: objects with an explicit list of names, never the modules themselves.

A module leads on to all it has imported (`uuid.os.environ`), so none is handed out. A façade holds functions,
classes and constants, and cannot be changed.
"""

import _strptime
import base64
import datetime
import encodings.ascii
import encodings.cp1252
import encodings.idna
import encodings.latin_1
import encodings.punycode
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import encodings.utf_32
import hashlib
import hmac
import json
import math
import random
import re
import secrets
import string
import time
import uuid


class Facade:
    """A module of chosen names."""

    __slots__ = ("_name", "_members")

    def __init__(self, name, members):
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_members", dict(members))

    def __getattr__(self, name):
        members = object.__getattribute__(self, "_members")
        if name in members:
            return members[name]
        raise AttributeError(f"scripts have no {self._name}.{name}")

    def __setattr__(self, name, value):
        raise AttributeError(f"{self._name} cannot be changed")

    __delattr__ = lambda self, name: self.__setattr__(name, None)

    def __repr__(self):
        return f"<module {self._name}>"


def chosen(module, names):
    return {name: getattr(module, name) for name in names.split()}


# Without a seed: a script must not make the numbers of the next one known.
_random = random.SystemRandom()

_modules = {
    "base64": chosen(
        base64,
        "b64encode b64decode urlsafe_b64encode urlsafe_b64decode standard_b64encode standard_b64decode "
        "b32encode b32decode b16encode b16decode",
    ),
    "datetime": chosen(datetime, "date datetime time timedelta timezone tzinfo MINYEAR MAXYEAR") | {"UTC": datetime.timezone.utc},
    "hashlib": chosen(hashlib, "md5 sha1 sha224 sha256 sha384 sha512 sha3_256 sha3_512 blake2b blake2s"),
    "hmac": chosen(hmac, "new digest compare_digest"),
    "json": chosen(json, "dumps loads"),
    "math": chosen(math, " ".join(name for name in dir(math) if not name.startswith("_"))),
    "random": chosen(
        _random,
        "random randint randrange choice choices sample shuffle uniform triangular gauss getrandbits randbytes",
    ),
    "re": chosen(
        re,
        "compile match fullmatch search sub subn split findall finditer escape "
        "IGNORECASE I MULTILINE M DOTALL S VERBOSE X ASCII A",
    ),
    "secrets": chosen(secrets, "token_hex token_urlsafe token_bytes randbelow choice compare_digest"),
    "string": chosen(
        string,
        "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable punctuation whitespace capwords",
    ),
    "time": chosen(time, "time time_ns strftime gmtime localtime mktime monotonic perf_counter"),
    "uuid": chosen(uuid, "UUID uuid4 uuid5 uuid3 NAMESPACE_DNS NAMESPACE_URL NAMESPACE_OID NAMESPACE_X500"),
}

FACADES = {name: Facade(name, members) for name, members in _modules.items()}


def import_facade(name, globals=None, locals=None, fromlist=(), level=0):
    """What `import` does in a script."""
    if level == 0 and name in FACADES:
        return FACADES[name]
    # `strptime` imports it by the name, and takes it from elsewhere; a script cannot say a name like that.
    if name == "_strptime":
        return Facade(name, {})
    raise ImportError(f"scripts cannot import {name}; there are {', '.join(sorted(FACADES))}")
