/* Which answered calls may still be on their way: `execute/supervision/inflight.py` says what that means, and has the rules.

   What the fast path lets go on is noted in `InFlight.recent`, a tuple a thread; Python takes it over from there as soon as it has to
   look at it. Here a call goes on only where nothing that is on its way comes near its paths. */

#define _GNU_SOURCE
#include "fastpath.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 32 /* entries of `recent` from which on Python is asked to look after them */

static bool names(enum deed deed) {
    return deed == CREATE || deed == REMOVE || deed == RENAME;
}

enum outcome flight_arrived(Lane *lane, pid_t tid) {
    enum outcome outcome = DONE;
    PyObject *key = PyLong_FromLong(tid);
    if (key == NULL) {
        return FAILED;
    }
    int had = PyDict_Contains(lane->recent, key);
    if (had < 0 || (had && PyDict_DelItem(lane->recent, key) < 0)) {
        outcome = FAILED;
    } else if (PyDict_GET_SIZE(lane->calls) && (had = PyDict_Contains(lane->calls, key)) != 0) {
        PyObject *done = had < 0 ? NULL : PyObject_CallMethod(lane->inflight, "arrived", "O", key);
        outcome = done == NULL ? FAILED : DONE;
        Py_XDECREF(done);
    }
    Py_DECREF(key);
    return outcome;
}

/* Whether the calls that Python knows of are none that this one has to wait for, be it behind them in a row. */
static enum outcome is_quiet(Lane *lane) {
    if (PySet_GET_SIZE(lane->structural)) {
        return SLOW;
    }
    long long waiting = number_of(lane->inflight, "_waiting");
    if (waiting == -1 && PyErr_Occurred()) {
        return FAILED;
    }
    PyObject *next = PyObject_GetAttrString(lane->inflight, "_next");
    if (next == NULL) {
        return FAILED;
    }
    bool none = next == Py_None;
    Py_DECREF(next);
    return waiting == 0 && none ? DONE : SLOW;
}

/* Whether no call that Python knows of is on its way to the path, or to a directory above it. `again`: not any more. */
static enum outcome is_clear(Lane *lane, const struct place *place, bool *again) {
    for (size_t length = place->length; length > 0;) {
        PyObject *path = PyBytes_FromStringAndSize(place->path, (Py_ssize_t)length);
        if (path == NULL) {
            return FAILED;
        }
        int found = PyDict_Contains(lane->at, path);
        PyObject *over = found > 0 ? PyObject_CallMethod(lane->inflight, "all_over", "O", path) : NULL;
        Py_DECREF(path);
        if (found > 0 && over != NULL) {
            *again |= over == Py_True;
            found = over == Py_True ? 0 : 1;
            Py_DECREF(over);
        } else if (found > 0) {
            found = -1;
        }
        if (found) {
            return found < 0 ? FAILED : SLOW;
        }
        while (length > 0 && place->path[--length] != '/') {
        }
    }
    return DONE;
}

static bool is_path(PyObject *bytes, const struct place *place) {
    return place != NULL && (size_t)PyBytes_GET_SIZE(bytes) == place->length &&
           memcmp(PyBytes_AS_STRING(bytes), place->path, place->length) == 0;
}

/* Whether a call has happened, as its thread is gone or sleeps in another one: the first half of `_is_done`. */
static bool has_happened(pid_t tid, PyObject *call) {
    char path[64], line[256];
    if (kill(tid, 0) != 0) {
        return errno == ESRCH;
    }
    snprintf(path, sizeof path, "/proc/%d/syscall", tid);
    int handle = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = handle < 0 ? -1 : read(handle, line, sizeof line - 1);
    if (handle >= 0) {
        close(handle);
    }
    if (size <= 0) {
        return false;
    }
    line[size] = 0;
    long long number;
    unsigned long long made[6], now[6];
    int found = sscanf(line, "%lld %llx %llx %llx %llx %llx %llx", &number, now, now + 1, now + 2, now + 3, now + 4, now + 5);
    if (found < 1) {
        return false; /* it runs */
    }
    if (number != PyLong_AsLongLong(PyTuple_GET_ITEM(call, 3))) {
        return true;
    }
    if (found != 7) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        made[i] = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(PyTuple_GET_ITEM(call, 4), i));
    }
    return memcmp(made, now, sizeof made) != 0;
}

static bool is_naming(Lane *lane, PyObject *deed) {
    for (int one = 0; one < DEEDS; one++) {
        if (PyTuple_GET_ITEM(lane->deeds, one) == deed) {
            return names(one);
        }
    }
    return true;
}

enum outcome flight_way(Lane *lane, enum deed deed, const struct place *path, const struct place *other, bool *again) {
    enum outcome outcome = is_quiet(lane);
    if (outcome == DONE && PyDict_GET_SIZE(lane->at)) {
        outcome = is_clear(lane, path, again);
        if (outcome == DONE && other != NULL) {
            outcome = is_clear(lane, other, again);
        }
    }
    if (outcome != DONE) {
        *again = false;
    }
    PyObject *key, *call;
    Py_ssize_t at = 0;
    while (outcome == DONE && PyDict_Next(lane->recent, &at, &key, &call)) {
        /* Deed, path, other path. The caller's own last call is over: it has arrived. */
        PyObject *first = PyTuple_GET_ITEM(call, 1), *second = PyTuple_GET_ITEM(call, 2);
        bool meets = is_path(first, path) || is_path(first, other) || is_path(second, path) || is_path(second, other);
        if (!meets || !(names(deed) || is_naming(lane, PyTuple_GET_ITEM(call, 0)))) {
            continue;
        }
        if (!has_happened((pid_t)PyLong_AsLong(key), call)) {
            return SLOW;
        }
        *again = true;
        Py_INCREF(key);
        outcome = PyDict_DelItem(lane->recent, key) < 0 ? FAILED : SLOW; /* SLOW ends the loop: it is asked again */
        Py_DECREF(key);
    }
    return outcome;
}

enum outcome flight_note(Lane *lane, enum deed deed, const struct place *path, const struct place *other) {
    const struct seccomp_notif *n = lane->notification;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    PyObject *key = PyLong_FromUnsignedLong(n->pid);
    PyObject *call = Py_BuildValue(
        "(Oy#y#i(KKKKKK)d)", PyTuple_GET_ITEM(lane->deeds, deed), path->path, (Py_ssize_t)path->length, other ? other->path : "",
        other ? (Py_ssize_t)other->length : (Py_ssize_t)0, n->data.nr, n->data.args[0], n->data.args[1], n->data.args[2],
        n->data.args[3], n->data.args[4], n->data.args[5], (double)now.tv_sec + 1e-9 * (double)now.tv_nsec
    );
    enum outcome outcome = DONE;
    if (key == NULL || call == NULL || PyDict_SetItem(lane->recent, key, call) < 0) {
        outcome = FAILED;
    }
    Py_XDECREF(key);
    Py_XDECREF(call);
    if (outcome == DONE && PyDict_GET_SIZE(lane->recent) >= MANY) {
        PyObject *done = PyObject_CallMethod(lane->inflight, "adopt", NULL);
        outcome = done == NULL ? FAILED : DONE;
        Py_XDECREF(done);
    }
    return outcome;
}
