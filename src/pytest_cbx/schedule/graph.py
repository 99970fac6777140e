"""Taking tasks in: checking that a submission makes sense, and tying its tasks to what comes before them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence

from pytest_cbx.errors import ProtocolError
from pytest_cbx.schedule.model import ClientId, Status, Submit, Task, TaskId
from pytest_cbx.schedule.tasks import Entry, Submission, shape_of

DEPTH_MAX = 3
"""How many commands may be nested around one another, the outermost not counted."""


def check(submit: Submit, known: Mapping[TaskId, Entry]) -> None:
    """Raise `ProtocolError` unless the ids are new, and what the tasks need is known, the client's own, and no circle."""
    position: dict[TaskId, int] = {}
    for number, task in enumerate(submit.tasks):
        if task.id in known or task.id in position:
            raise ProtocolError(f"task {task.id} ({task.name}) was handed in twice; each needs an id of its own")
        position[task.id] = number
    in_order = True
    for number, task in enumerate(submit.tasks):
        for before in (*task.needs, *task.after):
            if before in position:
                in_order = in_order and position[before] < number
            else:
                _check_earlier(task, known.get(before), before, submit.client)
        if task.parent is not None and task.parent in position:
            raise ProtocolError(
                f"task {task.id} ({task.name}) is nested in a task that came with it and cannot run yet"
            )
    if not in_order:
        _check_no_circle(submit.tasks, position)


def _check_earlier(task: Task, before: Entry | None, named: TaskId, client: ClientId) -> None:
    if before is None:
        raise ProtocolError(f"task {task.id} ({task.name}) comes after task {named}, which nobody handed in")
    if before.client != client:
        raise ProtocolError(f"task {task.id} ({task.name}) comes after task {named}, which is another client's")


def _check_no_circle(tasks: tuple[Task, ...], position: Mapping[TaskId, int]) -> None:
    following: list[list[int]] = [[] for _ in tasks]
    missing = [0] * len(tasks)
    for number, task in enumerate(tasks):
        for before in {*task.needs, *task.after} & position.keys():
            following[position[before]].append(number)
            missing[number] += 1
    free = deque(number for number, count in enumerate(missing) if not count)
    while free:
        for number in following[free.popleft()]:
            missing[number] -= 1
            if not missing[number]:
                free.append(number)
    circle = [task for task, count in zip(tasks, missing, strict=True) if count]
    if circle:
        names = ", ".join(f"{task.id} ({task.name})" for task in circle[:5])
        raise ProtocolError(f"these tasks wait for each other in a circle, so none could start: {names}")


def link(submit: Submit, known: dict[TaskId, Entry], first_order: int) -> Submission:
    """Entries for a checked submission, added to `known` and tied to what comes before them."""
    submission = Submission(fail_fast=submit.fail_fast)
    ranks = _ranks(submit.tasks)
    for offset, task in enumerate(submit.tasks):
        parent = known.get(task.parent) if task.parent is not None else None
        entry = Entry(
            task=task,
            client=submit.client,
            order=first_order + offset,
            rank=first_order + ranks[offset],
            submission=submission,
            shape=shape_of(task),
            parent=parent,
            ancestors=(parent, *parent.ancestors) if parent is not None else (),
            group=(submit.client, task.parent),
            supervised=task.restartable or task.serializable,
        )
        known[task.id] = entry
        submission.entries.append(entry)
        if parent is not None:
            parent.children.append(entry)
    for entry in submission.entries:
        _tie(entry, known)
    return submission


def _ranks(tasks: tuple[Task, ...]) -> Sequence[int]:
    """Program order: as handed in, but each after what it needs or comes after."""
    position = {task.id: number for number, task in enumerate(tasks)}
    before = [{position[one] for one in (*task.needs, *task.after) if one in position} for task in tasks]
    if all(max(numbers, default=-1) < number for number, numbers in enumerate(before)):
        return range(len(tasks))
    following: list[list[int]] = [[] for _ in tasks]
    for number, numbers in enumerate(before):
        for one in numbers:
            following[one].append(number)
    missing = [len(numbers) for numbers in before]
    free = [number for number, count in enumerate(missing) if not count]
    ranks = [0] * len(tasks)
    for rank in range(len(tasks)):
        number = heapq.heappop(free)
        ranks[number] = rank
        for one in following[number]:
            missing[one] -= 1
            if not missing[one]:
                heapq.heappush(free, one)
    return ranks


def follow(entry: Entry, before: Entry) -> None:
    """A task that does not run waits for another to be over (and all before that), beside what it waits for already."""
    if not before.settled and entry not in before.followed_by:
        before.followed_by.append(entry)
        entry.prerequisites += 1


def _tie(entry: Entry, known: Mapping[TaskId, Entry]) -> None:
    task = entry.task
    if not task.needs and not task.after:
        return
    for before in dict.fromkeys((*task.needs, *task.after)):
        one = known[before]
        if not one.settled:
            one.followed_by.append(entry)
            entry.prerequisites += 1
    for before in task.needs:
        one = known[before]
        if one.status is None:
            one.needed_by.append(entry)


def failed_need(entry: Entry, known: Mapping[TaskId, Entry]) -> Entry | None:
    """Something that a task needs and that is known not to have passed."""
    for before in entry.task.needs:
        if known[before].status not in (None, Status.PASSED):
            return known[before]
    return None
