"""Faulty files: for each the text, the line of the problem, and words that its message and hint must hold."""

from __future__ import annotations

from typing import NamedTuple


class Faulty(NamedTuple):
    """One file with one mistake, or several in `more`."""

    name: str
    text: str
    line: int
    words: tuple[str, ...]


def command(extra: str, *, name: str = "lint", run: str = "ruff check .") -> str:
    """A file with one command; `extra` starts in line 4."""
    return f'[[cbx.command]]\nname = "{name}"\nrun = "{run}"\n{extra}\n'


def two(extra: str) -> str:
    """Two commands; `extra` belongs to the second and starts in line 7."""
    return f'[[cbx.command]]\nname = "install"\nrun = "true"\n[[cbx.command]]\nname = "lint"\nrun = "true"\n{extra}\n'


FAULTY = [
    # unknown keys and tables
    Faulty(
        "unknown key", '[cbx]\nisolaton = "off"\n', 2, ("unknown key `isolaton` in [cbx]", "did you mean `isolation`?")
    ),
    Faulty(
        "unknown key in command", command("timeot = 3"), 4, ('`timeot` in command "lint"', "did you mean `timeout`?")
    ),
    Faulty("unknown section", "[cbx.limit]\nspawn_rate = 1\n", 1, ("`limit` in [cbx]", "did you mean `limits`?")),
    Faulty(
        "unknown key in a section", "[cbx.timeouts]\n\nclean_up = 3\n", 3, ("[cbx.timeouts]", "did you mean `cleanup`?")
    ),
    Faulty("key of another section", "[cbx]\nspawn_rate = 3\n", 2, ("it belongs in [cbx.limits]",)),
    Faulty("general key in a section", "[cbx.limits]\npolicy = 3\n", 2, ("it belongs in [cbx]",)),
    Faulty("key like no other", "[cbx.instances]\nqqqq = 3\n", 2, ("known: safe_parallel_max",)),
    Faulty("plural of command", '[[cbx.commands]]\nname = "a"\n', 1, ("`commands`", "did you mean `command`?")),
    Faulty("command without cbx", '\n[[command]]\nname = "a"\n', 2, ("write [[cbx.command]]",)),
    Faulty("section without cbx", "[limits]\nspawn_rate = 3\n", 1, ("write [cbx.limits]",)),
    Faulty("key without table", "jobs = 3\n", 1, ("it belongs in [cbx]",)),
    Faulty("foreign table", "\n\n[project]\n", 3, ('"project"', "stands under [cbx]")),
    Faulty("the other file's table", "[tool.cbx]\njobs = 3\n", 1, ("[tool.cbx] is for pyproject.toml",)),
    Faulty("key that does not print", '[cbx]\n"a\\u001b[31m" = 3\n', 2, ("\\u001b",)),
    # wrong types
    Faulty("cbx is no table", "cbx = 3\n", 1, ("must be a table, not 3", "write [cbx]")),
    Faulty("section is no table", "[cbx]\nlimits = 3\n", 2, ("must be a table, not 3", "write [cbx.limits]")),
    Faulty(
        "single brackets",
        '[cbx.command]\nname = "a"\n',
        1,
        ("must be a list of tables", "[[cbx.command]] in double brackets"),
    ),
    Faulty(
        "command is a text",
        '[cbx]\ncommand = [\n"make"]\n',
        3,
        ('must hold tables only, not "make"', "[[cbx.command]]"),
    ),
    Faulty("text for a list", command('needs = "lint"'), 4, ("must be a list of texts", 'write ["lint"]')),
    Faulty("number in a list", command('reads = [\n "a",\n 3,\n]'), 6, ("element 2 must be a text, not 3",)),
    Faulty(
        "list for a time", command("timeout = [3]"), 4, ('a number of seconds or a duration such as "90s", not a list',)
    ),
    Faulty("boolean for a number", command("cpus = true"), 4, ("must be a number above 0, not true",)),
    Faulty("boolean for seconds", command("timeout = true"), 4, ("not true",)),
    Faulty("text for a boolean", command('trust = "true"'), 4, ("true or false", "without quotes")),
    Faulty("fraction for a count", command("retries = 1.5"), 4, ("whole number from 0 to 100, not 1.5",)),
    Faulty("number for a name", '[[cbx.command]]\nname = 3\nrun = "true"\n', 2, ("must be a text, not 3", 'write "3"')),
    Faulty("date for a text", command("results = 2020-01-01"), 4, ("must be a text, not a date",)),
    Faulty("shell in one text", '[cbx]\nshell = "bash -c"\n', 2, ('write ["bash", "-c"]',)),
    Faulty("env is no table", command('env = "CI=1"'), 4, ("table of texts", 'env = { CI = "1" }')),
    Faulty(
        "env with a number", command("[cbx.command.env]\nPORT = 8080"), 5, ("PORT set to 8080", 'write PORT = "8080"')
    ),
    Faulty("env with a boolean", command("env = { CI = true }"), 4, ("CI set to true", 'write CI = "true"')),
    Faulty("env with a bad name", command('env = { "A=B" = "1" }'), 4, ('"A=B"', "variable's name")),
    # units
    Faulty("bad size", '[cbx.limits]\nmemory_per_instance = "12 apples"\n', 2, ("512MB", '"12 apples"')),
    Faulty("forgotten unit", "[cbx.limits]\nmemory_per_instance = 512\n", 2, ("at least 1MB", 'did you mean "512MB"?')),
    Faulty("bad duration", command('timeout = "5 hourz"'), 4, ('such as "90s"',)),
    Faulty("bad bandwidth", '[cbx.limits]\nio_bandwidth = "fast"\n', 2, ('"100MB/s"',)),
    Faulty(
        "share above one", "[cbx.thresholds]\ncpu_utilization_warning = 80\n", 2, ("from 0 to 1", 'did you mean "80%"?')
    ),
    Faulty("share above 100 %", '[cbx.limits]\nsafety_margin = "110%"\n', 2, ("from 0 to 1",)),
    Faulty("margin of everything", '[cbx.limits]\nsafety_margin = "100%"\n', 2, ("below 1",)),
    Faulty("infinite time", "[cbx.timeouts]\ncommand = inf\n", 2, ("number of seconds",)),
    Faulty("not a number", "[cbx.limits]\nspawn_rate = nan\n", 2, ("above 0",)),
    # ranges
    Faulty("zero seconds", command("timeout = 0"), 4, ("above 0",)),
    Faulty("negative seconds", "[cbx.timeouts]\ncleanup = -1\n", 2, ("above 0", "-1")),
    Faulty("more than a week", command('timeout = "8d"'), 4, ("at most 7 days",)),
    Faulty("negative jobs", "[cbx]\njobs = -1\n", 2, ("0 or more, not -1",)),
    Faulty("too many jobs", "[cbx]\njobs = 31\n", 2, ("above total_capacity_max, which is 30", "0 takes")),
    Faulty(
        "cap above total", "[cbx.instances]\nsafe_parallel_max = 40\n", 2, ("above total_capacity_max, which is 30",)
    ),
    Faulty(
        "cap above its total",
        "[cbx.instances]\ntotal_capacity_max = 4\nsequential_max = 5\n",
        3,
        ("is 5, above total_capacity_max, which is 4",),
    ),
    Faulty("no instances", "[cbx.instances]\nsequential_max = 0\n", 2, ("1 or more, not 0",)),
    Faulty("few descriptors", "[cbx.limits]\nfile_descriptors_max = 3\n", 2, ("16 or more, not 3",)),
    Faulty("zero cores", command("cpus = 0"), 4, ("above 0, not 0",)),
    Faulty("many retries", command("retries = 1000"), 4, ("from 0 to 100",)),
    Faulty("no shards", command("shards = 0"), 4, ("from 1 to 100",)),
    Faulty(
        "critical below warning",
        "[cbx.thresholds]\ncpu_utilization_warning = 0.5\ncpu_utilization_critical = 0.4\n",
        3,
        ("(0.4)", "(0.5)", "critical is the higher one"),
    ),
    # words
    Faulty("unknown tier", command('tier = "save"'), 4, ('"save"', 'did you mean "SAFE_PARALLEL"?')),
    Faulty("unknown policy", '[cbx]\npolicy = "critcal-path"\n', 2, ('did you mean "critical-path"?',)),
    Faulty(
        "unknown severity",
        '[cbx]\ndeny = "criticl"\n',
        2,
        ('"off", "notice", "warning", "critical"', 'did you mean "critical"?'),
    ),
    Faulty(
        "unknown rule", command('allow = ["outside",\n"escalaton"]'), 5, ("element 2", 'did you mean "escalation"?')
    ),
    Faulty("rule like no other", command('allow = ["zzz"]'), 4, ("known: destroys-root, ",)),
    Faulty("unknown isolation", '[cbx]\nisolation = "jail"\n', 2, ('"auto", "off", "guard", "serializable"',)),
    Faulty("unknown rollback", command('rollback = "on-crsh"'), 4, ('did you mean "on-crash"?',)),
    Faulty("unknown priority", command('priority = "Hi"'), 4, ('"critical", "high", "normal", "low", "deferred"',)),
    Faulty("unknown durability", '[cbx]\ndurability = "Power"\n', 2, ('did you mean "power"?',)),
    Faulty("discover", "[cbx]\ndiscover = 1\n", 2, ("`discover`", "true or false")),
    Faulty(
        "pool without a depth",
        command("pool = 'net'"),
        4,
        ('names "net", which has no depth in [cbx.pools]', "write [cbx.pools] with"),
    ),
    Faulty("pool that is nearly there", command("pool = 'nett'") + "[cbx.pools]\nnet = 2\n", 4, ("did you mean net?",)),
    Faulty("pool without places", "[cbx.pools]\nnet = 0\n", 2, ("`net`", "whole number")),
    Faulty("profile that is no list", "[cbx.profiles]\nquick = 'lint'\n", 2, ("`quick`", "list of texts")),
    Faulty("profiles that are no table", "[cbx]\nprofiles = ['a']\n", 2, ("must be a table", "[cbx.profiles]")),
    Faulty("profiles without cbx", "[profiles]\nquick = ['a']\n", 1, ("write [cbx.profiles]",)),
    Faulty("empty shell", "[cbx]\nshell = []\n", 2, ("must not be empty", "pipefail")),
    Faulty("few bytes for pre-images", "[cbx.limits]\npreimage_bytes = 4\n", 2, ("at least 1MB", '"4GB"')),
    Faulty("home in protect", '[cbx]\nprotect = ["~/x"]\n', 2, ("must not begin with ~",)),
    # names, locks, tags
    Faulty("no name", '\n[[cbx.command]]\nrun = "true"\n', 2, ("command 1 has no `name`", "write name =")),
    Faulty("no run", '[[cbx.command]]\nname = "a"\n', 1, ('command "a" has no `run`', "write run =")),
    Faulty("empty run", '[[cbx.command]]\nname = "a"\nrun = " \\n"\n', 3, ("must not be empty",)),
    Faulty("NUL in run", '[[cbx.command]]\nname = "a"\nrun = "a\\u0000b"\n', 3, ("NUL",)),
    Faulty("empty name", command("", name=""), 2, ("must not be empty",)),
    Faulty("colons in name", command("", name="go::vet"), 2, ('"::"', 'write "go:vet"')),
    Faulty("line end in name", command("", name="a\\nb"), 2, ("printable",)),
    Faulty("blank at the end of a name", command("", name="lint "), 2, ("begin or end with a blank", 'write "lint"')),
    Faulty("bad lock", command('locks = ["db:write"]'), 4, ('"name:read"', 'write "db:read"')),
    Faulty("lock with a blank", command('locks = ["my db"]'), 4, ("without blanks",)),
    Faulty("lock twice", command('locks = ["db",\n"db:read"]'), 5, ('names the lock "db" twice', "keep one")),
    Faulty("tag that is no name", command('tags = ["very-slow"]'), 4, ("-m can select", 'write "very_slow"')),
    Faulty("tag that is a word of -m", command('tags = ["not"]'), 4, ("-m can select",)),
    Faulty("tag that is pytest's", command('tags = ["parametrize"]'), 4, ("a mark of its own", "parametrize_")),
    # between commands
    Faulty("name twice", command("") + command(""), 6, ('"lint" is taken already, in line 2', "name of its own")),
    Faulty("unknown need", two('needs = [\n "instal"]'), 8, ('names "instal"', "did you mean install?")),
    Faulty("need like no other", two('needs = ["zzz"]'), 7, ('names "zzz"', "known: install")),
    Faulty("needs itself", command('needs = ["lint"]'), 4, ('"lint" needs itself', "`needs`")),
    Faulty(
        "circle",
        '[[cbx.command]]\nname="a"\nrun="x"\nneeds=["b"]\n[[cbx.command]]\nname="b"\nrun="x"\nneeds=["c"]\n'
        '[[cbx.command]]\nname="c"\nrun="x"\nneeds=["a"]\n',
        4,
        ('"a" needs "b", "b" needs "c", "c" needs "a"',),
    ),
    # folders
    Faulty("cwd above", command('cwd = "src/../.."'), 4, ("leads out of the workspace", "protect")),
    Faulty("cwd elsewhere", command('cwd = "/"'), 4, ("leads out of the workspace",)),
    # TOML
    Faulty("no quotes", "[cbx]\nisolation = off\n", 2, ("not valid TOML", "column 13", "quotes")),
    Faulty("open text", '[cbx]\nisolation = "off\n', 2, ("not valid TOML", "column 17", "three quotes")),
    Faulty("open list", '[cbx]\nshell = [\n"bash",\n', 3, ("not valid TOML", "end of the file")),
    Faulty("key twice", "[cbx]\njobs = 1\njobs = 2\n", 3, ("not valid TOML", "set twice")),
    Faulty("table twice", "[cbx]\njobs = 1\n[cbx]\n", 3, ("not valid TOML", "one header only")),
    Faulty("no value", "[cbx]\njobs\n", 2, ("not valid TOML", "key = value")),
    Faulty("huge number", f"[cbx]\njobs = {'9' * 5000}\n", 0, ("not valid TOML",)),
    Faulty("too deep", f"[cbx]\nshell = {'[' * 3000}{']' * 3000}\n", 0, ("nested too deeply",)),
]
