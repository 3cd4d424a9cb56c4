"""What became of a callable: the `result` frame, its pickled bytes, and the exit status of the process."""

import copyreg
import os
import pickle
import traceback
from dataclasses import dataclass

from . import serialization

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
# A header has 1 MiB at most, and JSON may double a text.
_MAX_TRACEBACK_CHARACTERS = 200_000
_MAX_MESSAGE_CHARACTERS = 50_000


@dataclass
class Outcome:
    header: dict
    payload: bytes
    exit_code: int
    # For the bridge's log; what went wrong that is not the user's exception.
    failure_log: str = ""


def capture(run, method):
    """Call `run` and turn its value or exception into an Outcome. Never raises."""
    try:
        value = run()
    except BaseException as error:
        return _raised(error, method)
    try:
        return Outcome(_header(method, was_raised=False), serialization.dumps(method, value), 0)
    except BaseException as error:
        return _not_serializable(value, error, method, 0)


def _raised(error, method):
    exit_code = _exit_code(error)
    text = ""
    try:
        _strip_own_frames(error)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        header = _header(method, was_raised=True)
        header["stringizedTraceback"] = _shorten(text, _MAX_TRACEBACK_CHARACTERS)
        header["exceptionTypeName"] = type(error).__name__
        header["exceptionMessage"] = _shorten(_text_of(error), _MAX_MESSAGE_CHARACTERS)
        log = text + "The function could not be loaded." if isinstance(error, serialization.SerializationError) else ""
        if not isinstance(error, serialization.SerializationError):
            _keep_causes(error)
        return Outcome(header, serialization.dumps(method, error), exit_code, log)
    except BaseException as second:
        outcome = _not_serializable(error, second, method, exit_code)
        outcome.failure_log = text + outcome.failure_log
        return outcome


def _not_serializable(value, error, method, exit_code):
    message = f"Error while serializing the execution result (object of type {type(value)})."
    header = _header(method, was_raised=isinstance(value, BaseException))
    header["failure"] = {"code": "result_not_serializable", "message": message}
    return Outcome(header, b"", exit_code, "".join(traceback.format_exception(type(error), error, error.__traceback__)))


def _header(method, was_raised):
    return {"type": "result", "method": method, "wasRaised": was_raised}


def _exit_code(error):
    if not isinstance(error, SystemExit):
        return 1
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _strip_own_frames(error):
    """Take our own frames off the front of the traceback: users see their code, as with isolate."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.tb_next
    if frame is not None:
        error.__traceback__ = frame


def _keep_causes(error):
    """Let exceptions keep their causes when pickled, in a form that any client can read.

    The SDK's wrapper does more (tblib, tracebacks included) for what the user's function raises. A setup function and an entrypoint
    run outside of that wrapper, and tblib must not be used for them here: its pickles can be read by the same version only, and the
    client's is not known.
    """
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if type(error) not in copyreg.dispatch_table:
            copyreg.pickle(type(error), _reduce_with_cause)
        error = error.__cause__


def _reduce_with_cause(error):
    reduced = error.__reduce_ex__(pickle.DEFAULT_PROTOCOL)
    if error.__cause__ is None or not isinstance(reduced, tuple) or len(reduced) > 3:
        return reduced
    state = reduced[2] if len(reduced) == 3 else None
    if not isinstance(state, (dict, type(None))):
        return reduced
    # BaseException.__setstate__ sets attributes one by one, these included.
    return (*reduced[:2], {**(state or {}), "__cause__": error.__cause__})


def _text_of(error):
    try:
        return str(error)
    except BaseException as second:
        return f"<{type(error).__name__}, whose text raises {type(second).__name__}>"


def _shorten(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - limit} characters left out …\n{text[-half:]}"
