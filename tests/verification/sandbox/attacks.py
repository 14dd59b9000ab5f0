"""What a hostile program tries, as source text: it prints ESCAPED where it got through.

Standard library only: the battery also runs as another user, with whatever interpreter that user can read. `{names}` in
the sources are filled in from the world that the test has set up on the host.
"""

PRELUDE = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, action):
    try:
        got = action()
    except (OSError, ImportError, RuntimeError) as error:
        print("held", what, type(error).__name__)
        return
    print("ESCAPED", what, repr(got)[:200])
def call(*arguments):
    answer = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return answer
"""

AGAINST_THE_HOST = {
    "tcp": """
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", {tcp}), 1))
""",
    "udp": """
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {udp})))
""",
    "unix_socket": """
attempt("unix", lambda: socket.socket(socket.AF_UNIX).connect({unix!r}))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect({abstract!r}))
""",
    "read_a_file": """
attempt("open", lambda: open({canary!r}).read())
attempt("list", lambda: os.listdir({folder!r}))
attempt("dots", lambda: open("../" * 20 + {canary!r}).read())
""",
    "write_outside": """
attempt("append", lambda: open({canary!r}, "a"))
attempt("create", lambda: open({folder!r} + "/new", "w"))
attempt("truncate", lambda: os.truncate({canary!r}, 0))
attempt("mkdir", lambda: os.mkdir({folder!r} + "/made"))
attempt("chmod", lambda: os.chmod({canary!r}, 0o777))
attempt("rename", lambda: os.rename({canary!r}, {canary!r} + "2"))
attempt("unlink", lambda: os.unlink({canary!r} + "2"))
""",
    "links": """
os.symlink({canary!r}, "soft")
attempt("symlink", lambda: open("soft").read())
os.symlink({folder!r}, "softly")
attempt("symlink to a folder", lambda: os.listdir("softly"))
attempt("hardlink", lambda: os.link({canary!r}, "hard"))
""",
    "proc": """
attempt("environ", lambda: open("/proc/{parent}/environ").read())
attempt("memory", lambda: open("/proc/{parent}/mem", "rb"))
attempt("root", lambda: os.listdir("/proc/{parent}/root"))
attempt("descriptors", lambda: os.listdir("/proc/{parent}/fd"))
attempt("command line", lambda: open("/proc/{victim}/cmdline").read())
attempt("oom", lambda: open("/proc/self/oom_score_adj", "w"))
""",
    "signals": """
attempt("victim", lambda: os.kill({victim}, 0))
attempt("parent", lambda: os.kill({parent}, 0))
attempt("own parent", lambda: os.kill(os.getppid(), 0))
attempt("group", lambda: os.killpg(0, 0))
attempt("all", lambda: os.kill(-1, 0))
import fcntl
read, write = os.pipe()
attempt("by descriptor", lambda: fcntl.fcntl(read, fcntl.F_SETOWN, {victim}))
""",
    "other_memory": """
attempt("ptrace", lambda: call({ptrace}, 0x4206, {victim}, 0, 0))
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
near, far = Vector(ctypes.addressof(buffer), 8), Vector({address}, 8)
attempt("process_vm_readv", lambda: call({process_vm_readv}, {parent}, ctypes.byref(near), 1, ctypes.byref(far), 1, 0))
attempt("pidfd", lambda: os.pidfd_open({victim}))
""",
    "processes": """
def fork():
    if os.fork() == 0:
        os._exit(0)
import subprocess
attempt("fork", fork)
attempt("spawn", lambda: subprocess.run(["/bin/true"]))
attempt("interpreter", lambda: subprocess.run([{executable!r}, "-c", "pass"]))
attempt("posix_spawn", lambda: os.posix_spawn("/bin/true", ["true"], {{}}))
""",
    "home_and_repository": """
attempt("home", lambda: os.listdir({home!r}))
attempt("repository", lambda: open({repository!r}).read())
attempt("accounts", lambda: open("/etc/passwd").read())
""",
    "environment": """
ctypes.c_char_p.in_dll(libc, "environ")
block = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
held, n = [], 0
while block and block[n]:
    held.append(block[n])
    n += 1
found = [entry for entry in held if {secret_name!r}.encode() in entry]
print("ESCAPED" if found or {secret_name!r} in os.environ else "held", "environment")
""",
}
"""Each of these gets through when it runs outside: see the control in the battery."""

AGAINST_THE_KERNEL = {
    "exec": """
attempt("exec", lambda: os.execv({executable!r}, ["python", "-c", "print('ESCAPED exec')"]))
attempt("shell", lambda: os.execv("/bin/sh", ["sh", "-c", "echo ESCAPED"]))
""",
    "shadow": """
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("own root", lambda: os.listdir(os.path.join("/proc/self/root", "etc")))
attempt("init's environment", lambda: open("/proc/1/environ").read())
""",
    "other_sockets": """
attempt("dns", lambda: socket.getaddrinfo("example.com", 80))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
attempt("datagram pair", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
""",
    "namespaces": """
attempt("unshare user", lambda: call({unshare}, 0x10000000))
attempt("unshare mount", lambda: call({unshare}, 0x00020000))
attempt("clone user", lambda: call({clone}, 0x10000000 | 17, 0, 0, 0, 0))
attempt("clone as thread with a namespace", lambda: call({clone}, 0x00010D00 | 0x00020000, 0, 0, 0, 0))
attempt("mount", lambda: call({mount}, b"none", b".", b"tmpfs", 0, b""))
attempt("umount", lambda: call({umount2}, b"/tmp", 2))
attempt("pivot_root", lambda: call({pivot_root}, b".", b"."))
attempt("chroot", lambda: os.chroot("."))
""",
    "users": """
attempt("setuid", lambda: os.setuid(0))
attempt("setresuid", lambda: os.setresuid(0, 0, 0))
attempt("setgid", lambda: os.setgid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("chown", lambda: os.chown(".", 0, 0))
attempt("priority", lambda: os.nice(-5))
""",
    "devices": """
import stat
for path in ("/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/ptmx", "/dev/sda", "/dev/vda", "/dev/null", "/dev/shm"):
    attempt(path, lambda: os.open(path, os.O_RDONLY))
attempt("node", lambda: os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)))
attempt("fifo", lambda: os.mkfifo("pipe"))
""",
    "descriptors": """
import stat
open_ones = []
for fd in range(1024):
    try:
        open_ones.append((fd, stat.S_IFMT(os.fstat(fd).st_mode)))
    except OSError:
        pass
expected = [(0, stat.S_IFREG), (1, stat.S_IFIFO), (2, stat.S_IFIFO), (3, stat.S_IFIFO)]
print("held" if open_ones == expected else "ESCAPED", open_ones)
""",
    "limits": """
import resource
for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    soft, hard = resource.getrlimit(which)
    try:
        resource.setrlimit(which, (hard + 1, hard + 1))
    except (OSError, ValueError):
        print("held", which)
        continue
    print("ESCAPED raised", which)
attempt("others' limits", lambda: resource.prlimit({victim}, resource.RLIMIT_CPU))
""",
    "standard_library": """
import json
attempt("write", lambda: open(json.__file__, "a"))
attempt("create", lambda: open(os.path.dirname(json.__file__) + "/sitecustomize.py", "w"))
attempt("remove", lambda: os.unlink(json.__file__))
""",
    "every_other_system_call": """
import errno
through = []
by_the_kernel = (335, 336) if {is_x86} else ()  # uretprobe and uprobe pass every filter, and kill whoever calls them
for number in range(600):
    if number not in {allowed!r} and number not in by_the_kernel:
        answer = libc.syscall(number, 0, 0, 0, 0, 0, 0)
        if answer != -1 or ctypes.get_errno() != errno.EPERM:
            through.append((number, answer, ctypes.get_errno()))
if {is_x86}:
    answer = libc.syscall(0x40000000 + 39)
    if answer != -1:
        through.append(("x32", answer))
print("ESCAPED" if through else "held", through)
""",
    "asking_for_more": """
attempt("dumpable", lambda: call({prctl}, 4, 1, 0, 0, 0))
attempt("subreaper", lambda: call({prctl}, 36, 1, 0, 0, 0))
attempt("outlive", lambda: call({prctl}, 1, 0, 0, 0, 0))
attempt("landlock", lambda: call(444, 0, 0, 1))
""",
}
"""Some of these are refused outside too, depending on who runs them. Inside, always."""

BOMBS = {
    "forks": """
import os
while True:
    try:
        os.fork()
        print('ESCAPED')
    except OSError:
        pass
""",
    "threads": """
import threading, time
threading.stack_size(32768)
n = 0
while n < 2000:
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        n += 1
    except (RuntimeError, MemoryError):
        time.sleep(0.001)
print("ESCAPED", n)
""",
    "memory": "held = []\nwhile True:\n    held.append(bytearray(1 << 24))\n",
    "caught_memory": """
held = []
while True:
    try:
        held.append(bytearray(1 << 20))
    except MemoryError:
        pass
""",
    "mapped_memory": """
import mmap
held = []
while True:
    held.append(mmap.mmap(-1, 1 << 24))
    held[-1][::4096] = b'x' * 4096
""",
    "output": "while True:\n    print('x' * 1000)\n",
    "errors": "import os\nwhile True:\n    os.write(2, b'x' * 1000)\n",
    "results": "import os\nwhile True:\n    os.write(3, b'x' * 1000)\n",
    "loop": "while True:\n    pass\n",
    "deaf_loop": """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "sleep": "import time\ntime.sleep(3600)\n",
    "threads_at_the_end": "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n",
    "one_large_file": """
with open("large", "wb") as file:
    for _ in range(1 << 10):
        file.write(bytes(1 << 20))
print("ESCAPED")
""",
    "many_large_files": """
for n in range(1 << 10):
    with open(str(n), "wb") as file:
        file.write(bytes(1 << 20))
print("ESCAPED")
""",
    "many_small_files": "for n in range(100_000):\n    open(str(n), 'w').close()\nprint('ESCAPED')\n",
    "regular_expression": "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')\n",
    "large_number": "print(len(str(7 ** (10 ** 8))))\n",
    "recursion": "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(n):\n    return [f(n + 1)]\nf(0)\n",
    "crash": "import ctypes\nctypes.string_at(1)\n",
    "suicide": "import os\nos.kill(os.getpid(), 9)\nos.abort()\n",
}
"""None may end as `done`, or take this machine with it."""
