"""What can go wrong in an engine. Every message is written for the person and carries the remedy.

EngineError
├── MissingKey        a hosted provider has no API key
├── MissingPackage    the provider's Python package is not installed
├── ModelNotFound     unknown provider or model, or its weights are not on this machine
├── OutOfMemory       the weights or the request do not fit the device
├── NoDiskSpace       the weights cannot be written
├── Unreachable       a hosted server is down, too slow, cut off or answered 5xx
├── Refused           the server said no: 401, 403, 404, content policy
├── RateLimited       the server answered 429
├── Busy              another process is at it
├── BadInput          the file or request cannot be used
│   └── CannotChange  the picture model draws from words only, or cannot repaint a part
└── Stopped           the person pressed stop
"""


class EngineError(Exception):
    """`message` says what happened, `remedy` what to do about it; `str()` gives both."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class MissingKey(EngineError): ...


class MissingPackage(EngineError): ...


class ModelNotFound(EngineError): ...


class OutOfMemory(EngineError): ...


class NoDiskSpace(EngineError): ...


class Unreachable(EngineError): ...


class Refused(EngineError): ...


class RateLimited(EngineError): ...


class Busy(EngineError): ...


class BadInput(EngineError): ...


class CannotChange(BadInput): ...


class Stopped(EngineError): ...
