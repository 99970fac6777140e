"""What a container is given of the host."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("-v $PWD:/src", "write **"),
        ("-v .:/src:ro", "read **"),
        ("-v ./data:/d:rw,z", "write data/**"),
        ("--volume=/etc:/e", "write /etc/**"),
        ("-itv /:/host", "write /**"),
        ("-v $X:/x", "write ?"),
        ("--mount type=bind,source=d,target=/d", "write d/**"),
        ("--mount type=bind,src=d,dst=/d,readonly", "read d/**"),
        ("--mount $M", "write ?"),
        ("-p 127.0.0.1:8080:80/tcp", "bind 8080"),
        ("-p 80", "bind *"),
        ("-p 8000-8010:80", "bind *"),
        ("-v /var/run/docker.sock:/s", "privilege"),
        ("--privileged", "privilege"),
        ("--pid=host", "privilege"),
        ("--volumes-from x", "write ?"),
    ],
)
def test_a_run_is_known_by_what_it_is_given(options: str, place: str) -> None:
    assert place in compact_of(f"docker run --rm {options} image make")


@pytest.mark.parametrize(
    "options", ["-v name:/data", "-v /data", "--mount type=volume,source=n,target=/d", "--tmpfs /t"]
)
def test_volumes_of_the_engine_are_no_place_of_the_host(options: str) -> None:
    assert compact_of(f"docker run {options} image rm -rf /") == ["network", "state"]


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("out", "output out/**"),
        ("type=local,dest=out", "output out/**"),
        ("type=tar,dest=o.tar", "output o.tar/**"),
        ("type=local", "output ?"),
        ("$O", "output ?"),
    ],
)
def test_a_build_may_bring_files_back(output: str, place: str) -> None:
    assert place in compact_of(f'docker build -o "{output}" .')


def test_an_image_stays_in_the_engine() -> None:
    assert not any(
        effect.startswith("output") for effect in compact_of("docker buildx build -o type=image,push=true .")
    )


def test_a_copy_goes_one_way() -> None:
    assert compact_of("docker cp x:/a/b.txt .") == ["state", "write **", "write b.txt/**"]
    assert compact_of("docker cp ./d x:/a") == ["state", "read d/**"]
    assert compact_of("docker cp x:/a -") == ["state"]
