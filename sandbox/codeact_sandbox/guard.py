"""Walls that the Worker puts up around itself and its children before anything else runs.

The container has put up its own before. These stop what its flags do not: a child that forges the Worker's messages by
tracing it, and kernel interfaces that ordinary tests never need and attackers like.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
LAST_CAPABILITY = 63
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
DENY = 0x00050000  # plus the errno

# System call numbers: x86_64, aarch64. -1: the architecture has none.
FORBIDDEN = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "userfaultfd": (323, 282), "bpf": (321, 280), "perf_event_open": (298, 241),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "setns": (308, 268), "unshare": (272, 97),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "syslog": (103, 116), "acct": (163, 89),
    "quotactl": (179, 60), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1), "personality": (135, 92),
    "fanotify_init": (300, 262), "lookup_dcookie": (212, 18), "nfsservctl": (180, 42),
    "vmsplice": (278, 75), "move_pages": (279, 239), "migrate_pages": (256, 238), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "shmget": (29, 194), "msgget": (68, 186),  # what they make outlives every process and counts for none
    "memfd_secret": (447, 447), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "vhangup": (153, 58), "uselib": (134, -1), "ustat": (136, -1), "sysfs": (139, -1),
    "listmount": (458, 458), "statmount": (457, 457), "lsm_set_self_attr": (460, 460), "fspick": (433, 433),
    "fsconfig": (431, 431), "open_tree_attr": (467, 467),
}  # fmt: skip
ARCHITECTURES = {"x86_64": (0xC000003E, 0, 41, 56, 435), "aarch64": (0xC00000B7, 1, 198, 220, 435)}
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (which getaddrinfo asks for addresses)
NETLINK_ROUTE = 0
NEW_NAMESPACES = 0x7E020080  # CLONE_NEW*: user, pid, net, ipc, uts, cgroup, mount, time


def become(uid: int, gid: int) -> None:
    """Give up being root and every capability for good; nothing to do if the process is not root."""
    if os.getuid() == 0 and uid:
        libc = ctypes.CDLL(None)
        for capability in range(LAST_CAPABILITY + 1):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def harden() -> str:
    """Hide the Worker's memory from its children, and forbid system calls. Returns what could not be done, or ''."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # giving up root has cleared what bubblewrap set
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = _program(os.uname().machine)
    if program is None:
        return "no system call filter for " + os.uname().machine
    buffer = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(filter_)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(pointer)), 0, 0) != 0:
        return "no system call filter: " + os.strerror(ctypes.get_errno())
    return ""


def hide() -> None:
    """Keep others from reading or tracing this process."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def expose() -> None:
    """Undo the hiding in a child: multiprocessing, debuggers and /proc/self of ordinary programs want it."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def limit(memory: int, processes: int, files: int, size: int, cpus: float) -> None:
    """Set the resource limits of this process and its future children."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: max(1, round(cpus))])
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_MEMLOCK, 64 * 1024),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _program(machine: str) -> bytes | None:
    """The filter in classic BPF, after seccomp(2): wrong architecture, forbidden calls, sockets, namespaces."""
    if machine not in ARCHITECTURES or sys.maxsize < 2**32:
        return None
    audit, column, socket, clone, clone3 = ARCHITECTURES[machine]
    load_word, equal, test, answer = 0x20, 0x15, 0x45, 0x06
    denied = DENY | errno.EPERM
    code = [
        _op(load_word, 4), _op(equal, audit, 1, 0), _op(answer, denied),
        _op(load_word, 0),
    ]  # fmt: skip
    if machine == "x86_64":
        code += [_op(0x35, 0x40000000, 0, 1), _op(answer, denied)]  # the x32 numbers would go round the list
    for numbers in FORBIDDEN.values():
        if numbers[column] >= 0:
            code += [_op(equal, numbers[column], 0, 1), _op(answer, denied)]
    # clone3 hides its flags behind a pointer; with ENOSYS the C library falls back to clone.
    code += [_op(equal, clone3, 0, 1), _op(answer, DENY | errno.ENOSYS)]
    code += [_op(equal, clone, 0, 4), _op(load_word, 16), _op(test, NEW_NAMESPACES, 0, 1), _op(answer, denied)]
    code += [_op(answer, ALLOW)]
    families = [_op(load_word, 16)]
    for index, family in enumerate(FAMILIES):
        families.append(_op(equal, family, len(FAMILIES) - index, 0))
    families += [_op(answer, DENY | errno.EAFNOSUPPORT)]
    families += [_op(equal, 16, 0, 2), _op(load_word, 32), _op(equal, NETLINK_ROUTE, 0, 1), _op(answer, ALLOW)]
    families += [_op(answer, DENY | errno.EPROTONOSUPPORT)]
    code += [_op(equal, socket, 0, len(families)), *families]
    code += [_op(answer, ALLOW)]
    return b"".join(code)


def _op(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)
