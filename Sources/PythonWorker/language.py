"""Compiles and runs a script by RestrictedPython: the language, chosen imports, and a value in `result`."""

import ast
import gc
import json
from collections import OrderedDict

from RestrictedPython import RestrictingNodeTransformer, compile_restricted_exec, safe_globals
from RestrictedPython.Eval import default_guarded_getitem, default_guarded_getiter
from RestrictedPython.Guards import full_write_guard, guarded_iter_unpack_sequence, guarded_unpack_sequence, safer_getattr_raise

from facades import import_facade

NAME = "<script>"
OUTPUT_LIMIT = 65_536
# Compiled code by its source.
CACHE_LIMIT = 256


class Overtime(BaseException):
    """Raised in a script whose time is over."""


class Outcome:
    __slots__ = ("value", "message", "line", "column", "output", "is_overtime")

    def __init__(self, value=None, message="", line=0, column=0, output="", is_overtime=False):
        self.value, self.message, self.line, self.column, self.output = value, message, line, column, output
        self.is_overtime = is_overtime


class Output:
    """What `print` writes, up to a limit. No name of it can be said in a script."""

    __slots__ = ("_parts", "_size")

    def __init__(self):
        self._parts, self._size = [], 0

    def _call_print(self, *values, sep=" ", end="\n", file=None, flush=False):
        if type(sep) is not str or type(end) is not str:
            raise TypeError("sep and end must be text")
        if self._size < OUTPUT_LIMIT:
            text = (sep.join(map(str, values)) + end)[: OUTPUT_LIMIT - self._size]
            self._parts.append(text)
            self._size += len(text)

    def __call__(self):
        """The value of `printed`."""
        return "".join(self._parts).encode("utf-8", "replace")[:OUTPUT_LIMIT].decode("utf-8", "ignore")


def inplace(operator, left, right):
    """`left operator= right`, the operators being those of numbers, texts and lists."""
    if operator == "+=":
        left += right
    elif operator == "-=":
        left -= right
    elif operator == "*=":
        left *= right
    elif operator == "/=":
        left /= right
    elif operator == "//=":
        left //= right
    elif operator == "%=":
        left %= right
    elif operator == "**=":
        left **= right
    elif operator == "<<=":
        left <<= right
    elif operator == ">>=":
        left >>= right
    elif operator == "|=":
        left |= right
    elif operator == "&=":
        left &= right
    elif operator == "^=":
        left ^= right
    else:
        raise SyntaxError(f"{operator} is not known to scripts")
    return left


BUILTINS = dict(safe_globals["__builtins__"])
BUILTINS |= {
    "__import__": import_facade,
    "all": all,
    "any": any,
    "bytearray": bytearray,
    "bytes": bytes,
    "dict": dict,
    "enumerate": enumerate,
    "filter": filter,
    "frozenset": frozenset,
    "iter": iter,
    "list": list,
    "map": map,
    "max": max,
    "min": min,
    "next": next,
    "reversed": reversed,
    "set": set,
    "sorted": sorted,
    "sum": sum,
    "tuple": tuple,
    "zip": zip,
}
# An address in memory is nobody's business.
BUILTINS.pop("id", None)

GUARDS = {
    "_getattr_": safer_getattr_raise,
    "_apply_": lambda function, *values, **named: function(*values, **named),
    "_getitem_": default_guarded_getitem,
    "_getiter_": default_guarded_getiter,
    "_iter_unpack_sequence_": guarded_iter_unpack_sequence,
    "_unpack_sequence_": guarded_unpack_sequence,
    "_write_": full_write_guard,
    "_inplacevar_": inplace,
    "__metaclass__": type,
    "__name__": "script",
}

class Policy(RestrictingNodeTransformer):
    """What scripts may say: the restricted language, and `d[k] += v`, which it only lacks a guard for."""

    def visit_AugAssign(self, node):
        if not isinstance(node.target, ast.Subscript):
            return super().visit_AugAssign(node)
        # `a[i] += v` as `a[i] = a[i] + v`: both are guarded. The place is computed twice, so only where that is the same.
        if any(isinstance(part, (ast.Call, ast.NamedExpr, ast.Yield, ast.Await)) for part in ast.walk(node.target)):
            self.error(node, "write this as an assignment: its place calls a function")
            return node
        read = ast.Subscript(node.target.value, node.target.slice, ast.Load())
        plain = ast.Assign([node.target], ast.BinOp(read, node.op, node.value))
        return self.visit(ast.fix_missing_locations(ast.copy_location(plain, node)))


_compiled = OrderedDict()


def compiled(source):
    """Code, or the outcome that says why there is none."""
    if source in _compiled:
        _compiled.move_to_end(source)
        return _compiled[source]
    code = _compile(source)
    _compiled[source] = code
    if len(_compiled) > CACHE_LIMIT:
        _compiled.popitem(last=False)
    return code


def _compile(source):
    try:
        ast.parse(source, NAME)
    except SyntaxError as error:
        return Outcome(message=f"SyntaxError: {error.msg}", line=error.lineno or 0, column=error.offset or 0)
    except (RecursionError, MemoryError):
        return Outcome(message="the script is nested too deeply")
    except ValueError as error:
        return Outcome(message=f"SyntaxError: {error}")
    try:
        result = compile_restricted_exec(source, NAME, policy=Policy)
    except (RecursionError, MemoryError):
        return Outcome(message="the script is nested too deeply")
    except SyntaxError as error:
        # What only the compiler sees: a return or yield that stands in no function.
        hint = "; a script sets its value by: result = …" if "outside function" in str(error.msg) else ""
        return Outcome(message=f"SyntaxError: {error.msg}{hint}", line=error.lineno or 0, column=error.offset or 0)
    if result.errors:
        return _refusal(result.errors[0])
    return result.code


def _refusal(text):
    """`Line 3: "_x" is an invalid variable name …` as a message and its line."""
    text = str(text)
    line = 0
    if text.startswith("Line "):
        number, _, rest = text[5:].partition(":")
        if number.strip().isdigit():
            line, text = int(number), rest.strip()
    return Outcome(message=text, line=line)


def check(source):
    """Reads a script without running it: an empty value when it holds."""
    code = compiled(source)
    return code if isinstance(code, Outcome) else Outcome("")


def run(source, context, over=lambda: None):
    """Runs a script; `over` is called as soon as nothing more is asked of it."""
    code = compiled(source)
    if isinstance(code, Outcome):
        return code
    output = Output()
    names = dict(GUARDS)
    names["__builtins__"] = dict(BUILTINS)
    names["_print_"] = lambda _getattr_=None: output
    names["context"] = json.loads(context)
    try:
        try:
            exec(code, names)
            outcome = _value(names)
        finally:
            over()
    except Overtime:
        outcome = Outcome(is_overtime=True)
    except BaseException as error:
        outcome = _fault(error)
    # What is left of it ends within its own time: a generator that waits in a `finally` must not go on in the next run.
    names.clear()
    while gc.collect():
        pass
    outcome.output = output()
    return outcome


def _value(names):
    if "result" not in names:
        return Outcome(message="the script set no result; end it with: result = …")
    value = names["result"]
    if isinstance(value, bool):
        return Outcome("true" if value else "false")
    if isinstance(value, (str, int, float)):
        return Outcome(str(value))
    if isinstance(value, bytes):
        return Outcome(value.decode("utf-8"))
    kind = "None" if value is None else f"a {type(value).__name__}"
    return Outcome(message=f"result is {kind}; set it to text or a number")


def _fault(error):
    """The message of what was raised, and the last line of the script on its way."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, MemoryError):
        return Outcome(message="MemoryError: the script needs more memory than it may have", line=line)
    try:
        text = str(error)
    except BaseException:
        text = ""
    name = type(error).__name__
    return Outcome(message=f"{name}: {text}" if text else name, line=line)
