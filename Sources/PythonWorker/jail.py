"""What the worker gives up before it runs what others wrote, and the proof of it."""

import ctypes
import errno
import mmap
import os
import resource
import socket

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
# One number everywhere.
IO_URING_SETUP, PIDFD_OPEN = 425, 434
LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446
SIGKILL = 9
NOBODY = 65534


class JailError(Exception):
    pass


class _Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def _prctl(option, value, more=0):
    if _libc.prctl(option, ctypes.c_ulong(value) if isinstance(value, int) else value, more, 0, 0) != 0:
        raise JailError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _syscall(number, *arguments):
    """The result, or the negative errno."""
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    return result if result >= 0 else -ctypes.get_errno()


def _forbid_files():
    """Landlock: nothing of files, TCP and other processes, where the kernel has it."""
    version = _syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_int(1))
    if version in (-errno.ENOSYS, -errno.EOPNOTSUPP):
        return
    if version < 0:
        raise JailError(f"files: {os.strerror(-version)}")
    rights = 16 if version >= 5 else 15 if version >= 3 else 14 if version >= 2 else 13
    rules = (ctypes.c_uint64 * 3)((1 << rights) - 1, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall(LANDLOCK_CREATE, rules, ctypes.c_size_t(size), ctypes.c_int(0))
    if ruleset < 0:
        raise JailError(f"files: {os.strerror(-ruleset)}")
    code = _syscall(LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_int(0))
    os.close(ruleset)
    if code < 0:
        raise JailError(f"files: {os.strerror(-code)}")


def _become_nobody():
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
        except PermissionError:
            # In a container whose root is the only user there is nobody else to become.
            return
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _mapped_data():
    """Writable memory that is mapped, used or not, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * resource.getpagesize()


def close(filter_steps, memory):
    """Locks this process up. `filter_steps`: what the gateway has compiled for it; `memory`: bytes it may grow by."""
    mapped = _mapped_data()
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _forbid_files()
    _become_nobody()
    # A change of user takes this away, so it comes after.
    _prctl(PR_SET_PDEATHSIG, SIGKILL)
    _prctl(PR_SET_DUMPABLE, 0)
    with_size = (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_MEMLOCK, 0)
    for kind, limit in with_size:
        resource.setrlimit(kind, (limit, limit))
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (mapped + memory, mapped + memory))
    program = _Program(len(filter_steps) // 8, filter_steps)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))


def _can(action):
    try:
        result = action()
    except (OSError, ValueError, PermissionError):
        return False
    return result is None or result is not False


def _opens(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags, 0o600))


def _forks():
    if os.fork() == 0:
        os._exit(0)


def _listens(family, kind):
    socket.socket(family, kind).close()


def escape(secrets):
    """What could be done that must not be, or None."""
    parent = os.getppid()
    limits = (1024, 1024)
    attempts = [(path, lambda path=path: _opens(path)) for path in secrets]
    attempts += [(f"the gateway's {name}", lambda name=name: _opens(f"/proc/{parent}/{name}")) for name in ("mem", "environ", "maps", "fd")]
    attempts += [
        ("open a file", lambda: _opens("/etc/passwd")),
        ("write a file", lambda: _opens("/tmp/fastgate-jail", os.O_WRONLY | os.O_CREAT)),
        ("open a TCP socket", lambda: _listens(socket.AF_INET, socket.SOCK_STREAM)),
        ("open a UDP socket", lambda: _listens(socket.AF_INET, socket.SOCK_DGRAM)),
        ("open a Unix socket", lambda: _listens(socket.AF_UNIX, socket.SOCK_STREAM)),
        ("start a process", _forks),
        ("signal the gateway", lambda: os.kill(parent, 0)),
        ("raise its limits", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)),
        ("raise the gateway's limits", lambda: bool(resource.prlimit(parent, resource.RLIMIT_NOFILE, limits))),
        ("map memory that can be run", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()),
        ("make a file in memory", lambda: os.close(os.memfd_create("x"))),
        ("use io_uring", lambda: _syscall(IO_URING_SETUP, 1, None) in range(-errno.EFAULT, 1 << 30) and _syscall(IO_URING_SETUP, 1, None) != -errno.EPERM),
        ("hold the gateway", lambda: _syscall(PIDFD_OPEN, parent, 0) >= 0),
        ("run a program", lambda: os.execv("/bin/true", ["true"])),
    ]
    return next((name for name, action in attempts if _can(action)), None)
