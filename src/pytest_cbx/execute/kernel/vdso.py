"""Makes a process ask the kernel what time it is.

Programs read clocks in the vDSO, a page of code that the kernel maps into each of them, without a system call that anybody could see.
Here its functions are replaced in one process's own copy by code that makes the call.

Sources: vdso(7), elf(5), getauxval(3); writing through /proc/PID/mem makes a private copy of the page, as debuggers' breakpoints do.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Mapping
from functools import cache

from pytest_cbx.execute.kernel.libc import call_number

_FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "x86_64": {
        "__vdso_clock_gettime": "clock_gettime",
        "__vdso_gettimeofday": "gettimeofday",
        "__vdso_time": "time",
    },
    "aarch64": {
        "__kernel_clock_gettime": "clock_gettime",
        "__kernel_gettimeofday": "gettimeofday",
    },
}
"""What the vDSO calls them, and the system call that does the same."""
_AT_SYSINFO_EHDR = 33
_PAIR = struct.Struct("=QQ")
_DYNSYM = 11
"""Type of the section with the symbols."""


def write_memory(pid: int, address: int, data: bytes) -> None:
    """Write into another process's memory, also where it may only read.

    Raises:
        OSError: it is gone, or may not be written to.
    """
    descriptor = os.open(f"/proc/{pid}/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.pwrite(descriptor, data, address) != len(data):
            raise OSError(errno.EFAULT, f"memory of process {pid} at {address:#x} cannot be written")
    finally:
        os.close(descriptor)


def base_of(pid: int) -> int:
    """Where the vDSO lies in a process; 0 where it has none.

    Raises:
        OSError: it is gone.
    """
    with open(f"/proc/{pid}/auxv", "rb") as file:
        data = file.read()
    for kind, value in _PAIR.iter_unpack(data[: len(data) // 16 * 16]):
        if kind == _AT_SYSINFO_EHDR:
            return int(value)
    return 0


def is_patched(pid: int, base: int) -> bool:
    """Whether its clocks ask the kernel already."""
    offset, code = next(iter(patches().items()))
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, len(code), base + offset) == code
    finally:
        os.close(descriptor)


def patch(pid: int, base: int) -> None:
    """Have its clocks ask the kernel from now on. It must not be reading them at this moment: it waits in a call.

    Raises:
        OSError: as `write_memory`.
    """
    for offset, code in patches().items():
        write_memory(pid, base + offset, code)


@cache
def patches() -> Mapping[int, bytes]:
    """Offset in the vDSO → code to put there.

    Raises:
        OSError: ENOSYS on a machine that we have no code for, or whose vDSO has no clocks.
    """
    machine = platform.machine()
    functions = _FUNCTIONS.get(machine, {})
    found = {
        offset: _call(machine, call_number(functions[name]))
        for name, offset in symbols(_image()).items()
        if name in functions
    }
    if not found:
        raise OSError(errno.ENOSYS, f"this {machine} has no clocks in its vDSO that could be replaced")
    return found


def _call(machine: str, number: int) -> bytes:
    """Make the call, and return."""
    if machine == "aarch64":
        return struct.pack("<III", 0xD2800008 | number << 5, 0xD4000001, 0xD65F03C0)
    return b"\xb8" + struct.pack("<I", number) + b"\x0f\x05\xc3"


def _image() -> bytes:
    """Our own vDSO: each process of this kernel has the same."""
    with open("/proc/self/maps", "rb") as lines:
        for line in lines:
            if line.rstrip().endswith(b"[vdso]"):
                start, _, end = line.split(b" ", 1)[0].partition(b"-")
                descriptor = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    return os.pread(descriptor, int(end, 16) - int(start, 16), int(start, 16))
                finally:
                    os.close(descriptor)
    raise OSError(errno.ENOSYS, "this process has no vDSO")


def symbols(image: bytes) -> dict[str, int]:
    """The names that an ELF image of 64 bits exports, with their offsets.

    Raises:
        OSError: ENOEXEC when it is none.
    """
    try:
        return _symbols(image)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise OSError(errno.ENOEXEC, f"the vDSO cannot be read: {error}") from error


def _symbols(image: bytes) -> dict[str, int]:
    if image[:5] != b"\x7fELF\x02":
        raise ValueError("no ELF image of 64 bits")
    (offset,) = struct.unpack_from("<Q", image, 0x28)
    size, count = struct.unpack_from("<HH", image, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, offset + number * size) for number in range(count)]
    found = {}
    for section in sections:
        if section[1] != _DYNSYM:
            continue
        strings = sections[section[6]]
        text = image[strings[4] : strings[4] + strings[5]]
        for at in range(section[4], section[4] + section[5], section[9]):
            name, _, _, where, value, _ = struct.unpack_from("<IBBHQQ", image, at)
            if where:
                found[text[name : text.index(b"\0", name)].decode("ascii")] = value
    return found
