"""The attacks, by theme: each is a small program that is run as an action.

A program ends with `held(...)` if a wall held, saying which error it met, and with `escaped(...)` if it came through.
Anything else, an exception of its own included, means that it could not even try, which is no defence.
"""

PRELUDE = r"""
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
WALLS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENODEV, errno.ENXIO}

def held(why):
    print("HELD", why)

def escaped(what):
    print("ESCAPED", what)

def syscall(x86, arm, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(x86 if X86 else arm), *arguments)
    return result, ctypes.get_errno()

def refused(name, x86, arm, *arguments, also=()):
    result, number = syscall(x86, arm, *arguments)
    if result < 0 and number in WALLS | set(also):
        held(f"{name}: {errno.errorcode[number]}")
    elif result < 0:
        print("UNSURE", name, errno.errorcode.get(number, number))
    else:
        escaped(f"{name} gave {result}")

def fails(what, *errors):
    try:
        got = what()
    except errors or (OSError,) as error:
        held(f"{type(error).__name__}: {error}")
    else:
        escaped(repr(got)[:200])
"""

NETWORK = {
    "ipv4 out": "fails(lambda: socket.create_connection(('1.1.1.1', 80), timeout=2))",
    "ipv6 out": "fails(lambda: socket.create_connection(('2606:4700:4700::1111', 80), timeout=2))",
    "udp out": ("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfails(lambda: s.sendto(b'x', ('8.8.8.8', 53)))"),
    "dns": "fails(lambda: socket.getaddrinfo('example.com', 80), socket.gaierror)",
    "raw socket": "fails(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))",
    "packet socket": "fails(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))",
    "vsock": "fails(lambda: socket.socket(40, socket.SOCK_STREAM))",
    "bluetooth": "fails(lambda: socket.socket(31, socket.SOCK_RAW))",
    "kernel crypto": "fails(lambda: socket.socket(38, socket.SOCK_SEQPACKET))",
    "xdp": "fails(lambda: socket.socket(44, socket.SOCK_RAW))",
    "netlink audit": "fails(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9))",
    "add an address by route netlink": """
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.settimeout(2)
body = struct.pack('=BBBBI', 2, 8, 0, 0, 1) + struct.pack('=HH4s', 8, 2, bytes([10, 9, 8, 7]))
s.sendto(struct.pack('=IHHII', 16 + len(body), 20, 0x405, 1, 0) + body, (0, 0))
code = -struct.unpack('=i', s.recv(4096)[16:20])[0]
held(errno.errorcode[code]) if code in WALLS else escaped(f'answered {code}')
""",
    "every other address family": """
import itertools
opened = []
for family, kind in itertools.product(range(3, 64), (1, 2, 3, 5)):
    if family not in (socket.AF_INET6, socket.AF_NETLINK):
        try:
            opened.append((family, kind, socket.socket(family, kind)))
        except OSError as error:
            if error.errno not in WALLS:
                opened.append((family, kind, error))
escaped(opened) if opened else held('none of 59 families')
""",
    "netlink by every other protocol": """
opened = []
for protocol in range(1, 32):
    try:
        opened.append((protocol, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)))
    except OSError:
        pass
escaped(opened) if opened else held('none of 31')
""",
    "a pair of sockets of a forbidden family": """
if X86:
    result, number = syscall(53, 199, 40, 1, 0, ctypes.create_string_buffer(8))
else:
    result, number = syscall(53, 199, 40, 1, 0, ctypes.create_string_buffer(8))
held(errno.errorcode[number]) if result < 0 else escaped('a pair')
""",
    "host loopback service": "fails(lambda: socket.create_connection(('127.0.0.1', HOST_PORT), timeout=2))",
    "host abstract socket": ("s = socket.socket(socket.AF_UNIX)\nfails(lambda: s.connect('\\0' + HOST_ABSTRACT))"),
    "host unix socket": "s = socket.socket(socket.AF_UNIX)\nfails(lambda: s.connect(HOST_SOCKET))",
    "docker socket": """
found = [path for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock')
         if os.path.exists(path)]
escaped(found) if found else held('not there')
""",
}

HOST = {
    "a secret file beside the workspace": "fails(lambda: open(HOST_SECRET).read())",
    "a secret file by /proc/1/root": "fails(lambda: open('/proc/1/root' + HOST_SECRET).read())",
    "shadow": "fails(lambda: open('/etc/shadow').read())",
    "ssh keys": "fails(lambda: os.listdir(HOST_HOME + '/.ssh'))",
    "the home folder": """
way = os.path.realpath(sys.prefix), sys.prefix, sys.base_prefix, os.getcwd()
names = os.listdir(HOST_HOME) if os.path.isdir(HOST_HOME) else []
found = [name for name in names if not any(path.startswith(os.path.join(HOST_HOME, name)) for path in way)]
escaped(found) if found else held('nothing but the way to the interpreter')
""",
    "environment": """
found = [name for name in os.environ if 'SECRET' in name or name.startswith(('AWS_', 'OPENAI_', 'SSH_'))]
escaped(found) if found or HOST_MARK in str(os.environ) else held('none of it')
""",
    "the Worker's environment": """
try:
    text = open('/proc/1/environ', 'rb').read()
except OSError as error:
    held(error)
else:
    escaped('read') if HOST_MARK.encode() in text else held('nothing of the host in it')
""",
    "the Worker's memory": "fails(lambda: open('/proc/1/mem', 'rb').read(1))",
    "the Worker's descriptors": "fails(lambda: os.listdir('/proc/1/fd') and os.readlink('/proc/1/fd/0'))",
    "processes of others": """
pids = [int(name) for name in os.listdir('/proc') if name.isdigit()]
escaped(pids) if HOST_PID in pids and HOST_PID > 500 else held(f'{len(pids)} processes, all of them ours')
""",
    "kernel log by syslog": "refused('syslog', 103, 116, 3, ctypes.create_string_buffer(4096), 4096)",
    "kernel log by /dev/kmsg": "fails(lambda: os.open('/dev/kmsg', os.O_RDONLY))",
    "physical memory": "fails(lambda: os.open('/dev/mem', os.O_RDONLY))",
    "kernel memory by /proc/kcore": "fails(lambda: open('/proc/kcore', 'rb').read(1) or 1/0, OSError, ZeroDivisionError)",
    "block devices": """
found = [name for name in os.listdir('/dev') if name.startswith(('sd', 'vd', 'nvme', 'loop', 'dm-'))]
escaped(found) if found else held('none')
""",
    "open by handle": "refused('open_by_handle_at', 304, 265, -100, ctypes.create_string_buffer(64), 0)",
    "other users' terminals": "fails(lambda: os.open('/dev/tty', os.O_RDWR))",
}

WRITING = {
    "the snapshot": "fails(lambda: open('/run/codeact/snapshot/mod.py', 'w'))",
    "our own library": "fails(lambda: open('/run/codeact/lib/codeact_sandbox/worker.py', 'w'))",
    "system programs": "fails(lambda: open('/usr/bin/evil', 'w'))",
    "the interpreter": "fails(lambda: open(sys.executable, 'r+b'))",
    "the interpreter's libraries": "fails(lambda: open(os.path.join(os.path.dirname(os.__file__), 'evil.py'), 'w'))",
    "/etc": "fails(lambda: open('/etc/passwd', 'a'))",
    "the root folder": "fails(lambda: open('/evil', 'w'))",
    "kernel settings": "fails(lambda: open('/proc/sys/kernel/core_pattern', 'w'))",
    "the folder of devices": "fails(lambda: open('/dev/evil', 'w'))",
    "every mount there is": """
written = []
for line in open('/proc/self/mountinfo'):
    place = line.split()[4].encode().decode('unicode_escape')
    way = os.getcwd() == place or os.getcwd().startswith(place + '/') and place.startswith('/tmp')
    if place not in ('/tmp', '/dev/shm') and not way and os.path.isdir(place):
        try:
            os.close(os.open(os.path.join(place, 'evil'), os.O_WRONLY | os.O_CREAT))
            written.append(place)
        except OSError:
            pass
escaped(written) if written else held('only view and scratch')
""",
    "a terminal's device": "fails(lambda: os.mkdir('/dev/pts/evil'))",
    "the names of other processes": "fails(lambda: open('/proc/1/comm', 'w').write('x'))",
    "control groups": """
import glob
tried = []
for path in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True)[:20] or ['/sys/fs/cgroup/cgroup.procs']:
    try:
        os.write(os.open(path, os.O_WRONLY), b'1')
        tried.append(path)
    except OSError:
        pass
escaped(tried) if tried else held('none writable')
""",
    "out of memory score": """
try:
    os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1000')
except OSError as error:
    held(error)
else:
    escaped('unkillable')
""",
    "beside the workspace": "fails(lambda: open(os.path.dirname(HOST_SECRET) + '/evil', 'w') and os.path.exists(HOST_SECRET) or 1/0, OSError, ZeroDivisionError)",
}

KERNEL = {
    "mount": "refused('mount', 165, 40, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "bind mount": "refused('mount', 165, 40, b'/', b'/tmp', 0, 4096, 0)",
    "umount": "refused('umount2', 166, 39, b'/tmp', 2)",
    "pivot_root": "refused('pivot_root', 155, 41, b'/tmp', b'/tmp')",
    "chroot": "refused('chroot', 161, 51, b'/tmp')",
    "new mount interface": "refused('fsopen', 430, 430, b'tmpfs', 0)",
    "open_tree": "refused('open_tree', 428, 428, -100, b'/', 1)",
    "ptrace the Worker": "refused('ptrace', 101, 117, 16, 1, 0, 0)",
    "read the Worker's memory": "refused('process_vm_readv', 310, 270, 1, 0, 0, 0, 0, 0)",
    "bpf": "refused('bpf', 321, 280, 0, ctypes.create_string_buffer(128), 128)",
    "io_uring": "refused('io_uring_setup', 425, 425, 4, ctypes.create_string_buffer(256))",
    "userfaultfd": "refused('userfaultfd', 323, 282, 0)",
    "keyctl": "refused('keyctl', 250, 219, 0, -3, 1)",
    "add_key": "refused('add_key', 248, 217, b'user', b'x', b'y', 1, -3)",
    "perf_event_open": "refused('perf_event_open', 298, 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "new user namespace": "refused('unshare', 272, 97, 0x10000000)",
    "new user namespace by clone": "refused('clone', 56, 220, 0x10000000 | 17, 0, 0, 0, 0)",
    "new user namespace by clone3": """
arguments = struct.pack('=11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
refused('clone3', 435, 435, ctypes.create_string_buffer(arguments), len(arguments))
""",
    "setns": """
descriptor = os.open('/proc/self/ns/net', os.O_RDONLY)
refused('setns', 308, 268, descriptor, 0)
""",
    "take a descriptor of the Worker": """
descriptor = os.pidfd_open(1)
refused('pidfd_getfd', 438, 438, descriptor, 0, 0)
""",
    "memory of no process": "refused('shmget', 29, 194, 0, ctypes.c_size_t(1 << 20), 0o1600)",
    "messages of no process": "refused('msgget', 68, 186, 0, 0o1600)",
    "secret memory": "refused('memfd_secret', 447, 447, 0)",
    "the list of all mounts": "refused('statmount', 457, 457, 0, 0, 0, 0)",
    "end another's memory": "refused('process_madvise', 440, 440, 3, 0, 0, 0, 0)",
    "load a module": "refused('init_module', 175, 105, ctypes.create_string_buffer(16), 16, b'')",
    "kexec": "refused('kexec_load', 246, 104, 0, 0, 0, 0)",
    "reboot": "refused('reboot', 169, 142, 0xfee1dead, 672274793, 0, 0)",
    "set the clock": "refused('clock_settime', 227, 112, 0, ctypes.create_string_buffer(16))",
    "the other architecture's calls": """
if X86:
    refused('x32 getpid', 0x40000000 + 39, 0)
else:
    held('no such thing here')
""",
}

PRIVILEGES = {
    "become root": "fails(lambda: os.setuid(0))",
    "root's group": "fails(lambda: os.setgroups([0]))",
    "capabilities": """
lines = [line for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm', 'CapBnd', 'CapAmb'))]
held('none') if all(int(line.split()[1], 16) == 0 for line in lines if 'Bnd' not in line) else escaped(lines)
""",
    "no new privileges": """
line = next(line for line in open('/proc/self/status') if line.startswith('NoNewPrivs'))
held(line) if line.split()[1] == '1' else escaped(line)
""",
    "a setuid program": """
import shutil, subprocess
program = shutil.which('su') or shutil.which('mount') or shutil.which('passwd')
if program is None:
    held('none is shown')
else:
    code = 'import os; print(os.geteuid())'
    shutil.copy(sys.executable, '/tmp/me')
    fails(lambda: os.chmod('/tmp/me', 0o4755) or os.chown('/tmp/me', 0, 0))
""",
    "a device that the view's overlay takes for a deletion": "fails(lambda: os.mknod('white', 0o20666, 0))",
    "a device node in the view": "fails(lambda: os.mknod('disk', 0o60666, os.makedev(254, 0)))",
    "attributes that the view's overlay believes": """
open('marked', 'w').close()
fails(lambda: os.setxattr('marked', 'trusted.overlay.opaque', b'y'))
""",
    "a device node": "fails(lambda: os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0)))",
    "kill the Worker": """
import signal, time
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
    try:
        os.kill(1, number)
    except PermissionError:
        pass
time.sleep(0.2)
held('it goes on')
""",
    "raise the limits": """
import resource
fails(lambda: resource.setrlimit(resource.RLIMIT_NPROC, (100000, 100000)), ValueError, OSError)
""",
    "realtime priority": "fails(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))",
    "a higher priority": "fails(lambda: os.nice(-10))",
    "more memory locked than allowed": """
import mmap
region = mmap.mmap(-1, 64 * 1024 * 1024)
address = ctypes.addressof(ctypes.c_char.from_buffer(region))
fails(lambda: 1/0 if libc.mlock(ctypes.c_void_p(address), 64 * 1024 * 1024) else 'locked', ZeroDivisionError)
""",
}
THEMES = {"network": NETWORK, "host": HOST, "writing": WRITING, "kernel": KERNEL, "privileges": PRIVILEGES}
