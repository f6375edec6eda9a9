"""What can go wrong with a store. Every message names the place and the remedy.

StoreError
├── StoreUnopenable        the store cannot be used at all; start-up stops
│   ├── StoreMissing       its directory does not exist
│   ├── StoreLocked        another gateway has it
│   ├── StoreReadOnly      it cannot be written
│   ├── StoreCorrupt       the file is damaged or is no Leadgate store
│   ├── StoreTooNew        a newer Leadgate wrote it
│   ├── StoreTooOld        an older Leadgate made it, and steps to today's format are missing
│   ├── StoreUnreachable   its server does not answer now; may be there again in a moment
│   └── KeyProblem         a key is missing, damaged or readable by others
├── StoreUnavailable       it cannot commit now (disk full, locked, closing); tried again by itself
│   └── Unstorable         it cannot commit this, however often it is tried; all else it can
├── UnknownLead            no lead has this id
├── UnknownRecord          neither a record nor a lead has this id
├── IllegalTransition      a lead cannot go from its state to the one asked for
└── BadCursor              the cursor was not made by this store
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of all store errors."""


class StoreUnopenable(StoreError):
    """The store cannot be used; the message is for the operator."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}. {remedy}")
        self.path = str(path)
        self.problem = problem
        self.remedy = remedy


class StoreMissing(StoreUnopenable):
    pass


class StoreLocked(StoreUnopenable):
    pass


class StoreReadOnly(StoreUnopenable):
    pass


class StoreCorrupt(StoreUnopenable):
    pass


class StoreTooNew(StoreUnopenable):
    pass


class StoreTooOld(StoreUnopenable):
    pass


class StoreUnreachable(StoreUnopenable):
    pass


class KeyProblem(StoreUnopenable):
    pass


class StoreUnavailable(StoreError):
    """The store cannot commit now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unstorable(StoreUnavailable):
    """One thing that was given cannot be stored at all."""


class UnknownLead(StoreError):
    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no lead has the id {lead_id}")
        self.lead_id = lead_id


class UnknownRecord(StoreError):
    def __init__(self, record_id: str) -> None:
        super().__init__(f"no record or lead has the id {record_id}")
        self.record_id = record_id


_NO_COMMAND = ("expired", "erased")
"""States that nobody can ask for yet."""


class IllegalTransition(StoreError):
    def __init__(self, lead_id: str, state: str, wanted: str, allowed: tuple[str, ...]) -> None:
        may = [each for each in allowed if each not in _NO_COMMAND]
        told = f"it can become {', '.join(may)}" if may else "that state is final"
        super().__init__(f"lead {lead_id} is {state} and cannot become {wanted}: {told}")
        self.lead_id, self.state, self.wanted = lead_id, state, wanted


class BadCursor(StoreError):
    def __init__(self) -> None:
        super().__init__("the cursor is not one that this list gave out; start again without it")
