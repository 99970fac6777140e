"""perl: its switches, and the closed reader of one-liners."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.languages.perl import only_prints
from tests.unit.effects.help import compact_of

CALLS: list[tuple[str, list[str]]] = [
    ("perl -pe 's/a/b/' f", ["read f"]),
    ("perl -lane 'print $F[1]' f g", ["read f", "read g"]),
    ("perl -F, -ane 'print $F[1]' f", ["read f"]),
    ("perl -F'/x/;system(1)#' -e 'print' f", ["read f", "execute"]),
    ("perl -i -pe 's/a/b/' f", ["read f", "write f"]),
    ("perl -pi.bak -e 's/a/b/' f", ["read f", "write f", "write f.bak"]),
    ("perl -i.bak -ne 'print unless /x/' *.c", ["read *.c", "write *.c", "write *.c.bak"]),
    ("perl -0777 -pe 's/a/b/' f", ["read f"]),
    ("perl -0777pi -e 's/a/b/' f", ["read f", "write f"]),
    ("perl -w -Mstrict -MList::Util=sum -e 'print sum(1, 2)'", []),
    ("perl -MFoo -pe 's/a/b/' f", ["read f", "execute"]),
    ("perl '-MList::Util;system(1)' -e 'print 1'", ["execute"]),
    ("perl -I. -pe 's/a/b/' f", ["read f", "execute"]),
    ("perl -pe 's/a/b/' -e ';system(1)' f", ["read f", "execute"]),
    ("perl -ne print 'rm x |'", ["read rm x |", "execute"]),
    ("perl -ne print '>o'", ["read >o", "execute"]),
    ("perl -ae print '>o'", ["read >o", "execute"]),
    ("perl -e 'print eof()' '>o'", ["read >o", "execute"]),
    ("perl -ne print \"$F\"", ["read ?", "execute"]),
    ("perl -e \"$X\"", ["execute"]),
    ("perl \"$X\" -e 1", ["execute"]),
    ("perl -v", []),
    ("perl --version", []),
    ("perl x.pl a", ["read x.pl", "execute"]),
    ("perl -c x.pl", ["read x.pl", "execute"]),
    ("perl < f", ["read f", "execute"]),
    ("PERL5OPT=-Mx perl -e 1", ["execute"]),
    ("ruby -c a.rb b.rb", ["read a.rb", "read b.rb"]),
    ("ruby -rx -c a.rb", ["execute"]),
    ("php -l a.php", ["read a.php"]),
    ("php -d extension=x.so -l a.php", ["read a.php", "execute"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), CALLS)
def test_what_perl_and_its_like_touch(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


PRINTING = r"""s/a/b/
s/foo/bar/g; s#x#y#
print if /re/
print unless /^\s*#/
tr/a-z/A-Z/
y/a/b/
$_ = uc
print "$1\n" if /(\w+)/
print join(",", @F), "\n"
$s += $F[1]; END { print $s }
print "$.: $_"
next if $. < 3; last if $. > 10; print
s/(\d+)/<$1>/g; print
BEGIN { $x = 0 } $x++ while /a/g; END { print "$x\n" }
print unless $seen{$_}++
print sort { $a <=> $b } <STDIN>
print "$ENV{HOME}\n"
@a = split /,/; print $a[2]
s{a}{b}g
s|/usr|/opt|g
chomp; print "$_\t", length, "\n"
$h{$F[0]} += $F[1]; END { for (sort keys %h) { print "$_ $h{$_}\n" } }
print if 5..10
print "-"x20, "\n"
undef $/; $_ = <>; s/a\nb//; print
print $a / 2 / 3
close ARGV if eof
print $h->{a}[0]{b}
print "foo@example.com" """.strip().split("\n")

DOING_MORE = r"""system("x")
`x`
qx(x)
exec "x"
eval "x"
do "x"
use x
require x
unlink "x"
open F, ">x"
rename "a", "b"
s/a/system(1)/e
s/a/b/ee
/(?{system(1)})/
/(??{1})/
print "@{[system(1)]}"
print "${\ system(1)}"
print "$h{system(1)}"
s/a/$x{system(1)}/
s/a/@{[`x`]}/
$_{system(1)}
$#{system(1)}
&foo
&$x
$x->()
"system"->("x")
sub x {1}
1 %system("x")
% , / system("x"); /
* , / system("x"); /
print < ' >; system("x") #'
print <= ' >; system("x") #'
print ? ' ?; system("x") #'
$x =~ system("x")
print 1 <system("x")
@ARGV=("x")
push @ARGV, "x"
push ARGV, "x"
$^I=".bak"
$SIG{ALRM}=1
%SIG=(a=>1)
CORE::system("x")
POSIX::unlink("x")
time /'/; system("x") #'/
shift /'/; system(1) #'/
sum0 /'/; system("x") #'/
-s/'/; system("x") #/ ; '/'
print q}x};system 1
m'x';system'y'
$h{s}; system("x"); "}"
{s}; system("x"); "}"
%{system(1)}
print <`x`>
glob("*")
kill 9, 1
print {*STDOUT} system "x"
print "\@{[system]}${x[system]}" """.strip().split("\n")


@pytest.mark.parametrize("program", PRINTING)
def test_programs_that_only_compute_and_print(program: str) -> None:
    assert only_prints(program), program


@pytest.mark.parametrize("program", DOING_MORE)
def test_programs_that_may_do_more(program: str) -> None:
    assert not only_prints(program), program


@pytest.mark.parametrize(
    "program", ["1\n=pod '\n\n=cut\nsystem('x') #'", "print <<'A';\n'\nA\nsystem('x') #'", "s {a}\n{b}e"]
)
def test_text_that_hides_code_from_a_reader(program: str) -> None:
    assert not only_prints(program), program


def test_an_endless_program_is_not_read() -> None:
    assert not only_prints("print;" * 1_000)
