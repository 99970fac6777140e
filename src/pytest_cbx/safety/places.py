"""Which part of the machine a place lies in, told from its path alone."""

from __future__ import annotations

import re
from enum import Enum

from pytest_cbx.effects.model import Place, Scope


class Area(Enum):
    """A part of the machine, from the point of view of harm."""

    WORKSPACE = "workspace"
    DEVICE = "device"
    """A device or descriptor that keeps nothing: `/dev/null`, `/dev/stdout`, `/dev/fd/3`."""
    TEMPORARY = "temporary"
    """The directory for temporary files; shared with every other command."""
    ELSEWHERE = "elsewhere"
    """Outside the workspace, nothing special known."""
    STARTUP = "startup"
    """A file that a shell or tool runs or obeys when it starts: `~/.bashrc`, `~/.gitconfig`."""
    SECRET = "secret"
    """Keys and passwords: `~/.ssh`, `~/.netrc`, `/etc/shadow`."""
    MACHINE = "machine"
    """Belongs to the operating system: `/etc`, `/usr`, `/boot`, disks, `/proc`, `/sys`."""
    ROOT = "root"
    """`/` or a home directory as a whole."""


_HOME = re.compile(r"^(?:~[^/]*|\$HOME|\$\{HOME\}|/root|/home/[^/]+|/Users/[^/]+)(?=/|$)")
_HARMLESS_DEVICE = re.compile(
    r"^/dev/(?:null|zero|full|u?random|tty|stdin|stdout|stderr|ptmx|(?:fd|pts)(?:/.*)?)$|^/proc/(?:self|thread-self|\d+)/fd(?:/.*)?$"
)
_TEMPORARY = (
    "/tmp", "/var/tmp", "/private/tmp", "/private/var/folders", "/var/folders", "/dev/shm", "$TMPDIR", "${TMPDIR}",
)  # fmt: skip
_MACHINE = (
    "/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var",
    "/Library", "/System", "/private/etc", "/private/var",
)  # fmt: skip
_SECRET_FILES = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh", "/etc/ssl/private")
_SECRET_IN_HOME = (
    ".aws", ".azure", ".config/gcloud", ".config/gh", ".docker/config.json", ".git-credentials", ".gnupg", ".kube", ".netrc",
    ".password-store", ".pgpass", ".pypirc", ".ssh",
)  # fmt: skip
_STARTUP_IN_HOME = (
    ".bash_aliases", ".bash_login", ".bash_logout", ".bash_profile", ".bashrc", ".config/autostart", ".config/fish",
    ".config/git", ".config/systemd", ".gitconfig", ".inputrc", ".npmrc", ".profile", ".xinitrc", ".xprofile", ".zlogin",
    ".zprofile", ".zshenv", ".zshrc",
)  # fmt: skip

_ABSOLUTE = ((Area.TEMPORARY, _TEMPORARY), (Area.SECRET, _SECRET_FILES), (Area.MACHINE, _MACHINE), (Area.ROOT, ("/",)))
_IN_HOME = ((Area.SECRET, _SECRET_IN_HOME), (Area.STARTUP, _STARTUP_IN_HOME))


def area_of(place: Place) -> Area:
    """The area of the machine that `place` lies in. A pattern counts as the directory before its first wildcard."""
    path = glob_base(place.path) if place.scope is Scope.GLOB else place.path
    if not outside(path):
        return Area.WORKSPACE
    if _HARMLESS_DEVICE.match(path):
        return Area.DEVICE
    home = in_home(path)
    if home is not None:
        return _area_in_home(home, place.scope)
    return next((area for area, roots in _ABSOLUTE if _below(path, roots)), Area.ELSEWHERE)


def in_home(path: str) -> str | None:
    """What follows the home directory in a path as in `Place`; None where it does not lie in one."""
    home = _HOME.match(path)
    return path[home.end() :].lstrip("/") if home else None


def _area_in_home(rest: str, scope: Scope) -> Area:
    if not rest:
        return Area.ROOT if scope is not Scope.GLOB else Area.ELSEWHERE
    return next((area for area, roots in _IN_HOME if _below(rest, roots)), Area.ELSEWHERE)


def outside(path: str) -> bool:
    """Whether a path as in `Place` lies outside the workspace: absolute, in a home directory, or above the root."""
    return path == ".." or path.startswith(("/", "~", "$", "../"))


def glob_base(pattern: str) -> str:
    """The directory before the first component that has a wildcard: `src/**/*.py` → `src`, `*.py` → `.`, `/etc/*` → `/etc`."""
    fixed: list[str] = []
    for part in pattern.split("/"):
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    if fixed == [""]:
        return "/"
    return "/".join(fixed) or "."


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or (root != "/" and path.startswith(root + "/")) for root in roots)
