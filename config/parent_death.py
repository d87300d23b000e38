"""Becomes the command it is given, bound to end when the process that asked for it ends, even by SIGKILL.

``python -I -S parent_death.py TIE SIGNAL USER COMMAND...``: TIE is ``parent=PID`` on Linux, where the kernel sends
SIGNAL when PID ends, and ``lifeline=FD`` elsewhere, where a small watcher sends it once the other end of the pipe FD
has closed. USER is ``-`` or ``UID:GID`` to become first. Runs alone, on the standard library only.
"""

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
GRACE_S = 10.0


def main(arguments: list[str]) -> None:
    tie, number, user, *command = arguments
    kind, _, value = tie.partition("=")
    death_signal = signal.Signals(int(number))
    if kind == "lifeline":
        start_watcher(int(value), os.getpid(), death_signal)
    if user != "-":
        become(*(int(part) for part in user.split(":")))
    if kind == "parent":
        # After the change of user, which clears it.
        follow(int(value), death_signal)
    # Python ignores these two, and a command inherits what is ignored.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606  the command is the caller's own, and no shell must read it


def become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def follow(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel for ``death_signal`` when ``parent`` ends, and end now if that has already happened."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused a parent-death signal")
    if os.getppid() != parent:
        sys.exit("the process that asked for this one has ended")


def start_watcher(lifeline: int, target: int, death_signal: signal.Signals) -> None:
    """Leave a watcher behind that is nobody's child, so that the command never meets a child it does not know."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        os.close(lifeline)
        return
    os.setsid()
    if os.fork() == 0:
        os.dup2(lifeline, 3)
        # What it would keep open otherwise: logs, the ready line's pipe, the folder's lock.
        os.closerange(4, 4096)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        watch(3, target, death_signal)
    os._exit(0)


def watch(lifeline: int, target: int, death_signal: signal.Signals, grace_s: float = GRACE_S) -> None:
    """Return once ``target`` has ended; end it when ``lifeline`` closes, after ``grace_s`` by SIGKILL."""
    while not select.select([lifeline], [], [], 0.5)[0]:
        if not send(target, 0):
            return
    deadline = time.monotonic() + grace_s
    alive = send(target, death_signal)
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = send(target, 0)
    if alive:
        send(target, signal.SIGKILL)


def send(target: int, number: int) -> bool:
    """Send a signal (0: only look); False when there is no such process any more."""
    try:
        os.kill(target, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
