"""One process that runs scripts in Python for the gateway, and can do nothing else.

The gateway starts it with one channel as its standard input. It imports all it will ever need, locks itself up for good,
proves it, and then answers one frame after the other until the channel ends or it is killed. RestrictedPython keeps
scripts to the language; the jail keeps them from everything else.
"""

import gc
import os
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import jail
from language import Outcome, Overtime, check, run

START, RUN, READY, REFUSED, DONE, CHECK = range(6)
FRAME_LIMIT = 512 * 1024
VALUE_LIMIT = 131_072
# Seconds: what takes longer than its run may works in turns and rests, since a kernel that preempts lazily lets whoever
# runs go on for milliseconds while others wait.
TURN, LATEST = 0.000_1, 0.005
CHANNEL = 0


def read_exactly(count):
    parts = []
    while count:
        part = os.read(CHANNEL, count)
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def receive():
    (length,) = struct.unpack("<I", read_exactly(4))
    if length > FRAME_LIMIT:
        os._exit(2)
    return Reader(read_exactly(length))


def send(kind, body):
    frame = memoryview(struct.pack("<IB", len(body) + 1, kind) + body)
    while frame:
        frame = frame[os.write(CHANNEL, frame) :]


class Reader:
    def __init__(self, frame):
        self.kind, self.frame, self.position = frame[0], frame, 1

    def number(self, form):
        (value,) = struct.unpack_from(form, self.frame, self.position)
        self.position += struct.calcsize(form)
        return value

    def data(self):
        length = self.number("<I")
        self.position += length
        return self.frame[self.position - length : self.position]

    def text(self):
        return self.data().decode("utf-8", "replace")


def packed(text):
    data = text.encode("utf-8", "replace")
    return struct.pack("<I", len(data)) + data


is_paced = False
rest_time = 0
# When the script at hand is to end, in nanoseconds of the monotonic clock; 0 when it need not look at the time.
ends_at = 0


def pace(after, rest_after, end):
    """From so many seconds on, with rests of so many, until an end in nanoseconds or 0."""
    global is_paced, rest_time, ends_at
    is_paced, rest_time, ends_at = True, rest_after, end
    set_alarm(after)


def end_pace():
    global is_paced
    is_paced = False
    set_alarm(0)


def script_is_over():
    """What is done after a script is done whole: where it takes too long, the gateway ends the worker."""
    global ends_at
    ends_at = 0


def set_alarm(after):
    # By itself again, too: a rest that a script has kept from being taken is not the last one.
    signal.setitimer(signal.ITIMER_REAL, after, LATEST if after > 0 else 0)


def rest(number, frame):
    global ends_at
    # One that was under way when the run ended comes too late.
    if is_paced:
        time.sleep(rest_time)
        set_alarm(TURN)
        # Once: a script that goes on nevertheless is ended with its worker.
        if 0 < ends_at <= time.monotonic_ns():
            ends_at = 0
            raise Overtime


def begin():
    signal.signal(signal.SIGALRM, rest)
    start = receive()
    if start.kind != START:
        os._exit(2)
    is_jailed, memory = start.number("<B") == 1, start.number("<Q")
    secrets = [start.text() for _ in range(start.number("<I"))]
    filter_steps = start.data()
    # Whatever is read or imported at first use must be, before there is nothing to read any more.
    run("import datetime, time, re, json, hashlib, uuid, random\nresult = datetime.datetime.now().isoformat() + time.strftime('%c')", "{}")
    # What there is now stays, and need not be looked at again; what a script leaves is collected after it.
    gc.collect()
    gc.freeze()
    gc.disable()
    if not is_jailed:
        return
    try:
        jail.close(filter_steps, memory)
        fault = jail.escape(secrets)
        if fault:
            fault = "it was tried and could be done: " + fault
    except (OSError, ValueError, jail.JailError) as error:
        fault = str(error)
    if fault:
        send(REFUSED, packed(fault))
        os._exit(3)


def serve():
    while True:
        frame = receive()
        if frame.kind not in (RUN, CHECK):
            os._exit(2)
        nonce, paced_after, rest_after, end = (frame.number(form) for form in ("<Q", "<I", "<I", "<Q"))
        source, context = frame.text(), frame.text()
        began = time.perf_counter_ns()
        outcome = Outcome(is_overtime=True)
        try:
            pace(paced_after / 1_000_000, rest_after / 1_000_000, end)
            outcome = check(source) if frame.kind == CHECK else run(source, context, script_is_over)
        except Overtime:
            # Its time was over before it began: while it was read.
            pass
        end_pace()
        took = (time.perf_counter_ns() - began) // 1000
        text = outcome.message if outcome.value is None else outcome.value
        send(
            DONE,
            struct.pack("<QB", nonce, 2 if outcome.is_overtime else outcome.value is not None)
            + packed(text.encode("utf-8", "replace")[:VALUE_LIMIT].decode("utf-8", "ignore"))
            + struct.pack("<II", outcome.line, outcome.column)
            + packed(outcome.output)
            + struct.pack("<I", min(took, 0xFFFFFFFF)),
        )


begin()
send(READY, packed("CPython " + sys.version.split()[0]))
serve()
