/* The fast path of trapped calls: answers, in C, the usual ones of a supervised attempt; every other call goes to Python.

   An accelerator, as CPython has for its pickle: `engine/guard.py` and what it calls say what is right, and do all of it where no
   compiler was at hand. What is done here is the same, on the same values, under the same turn: a call that changes regular files or
   makes directories, inside what the command holds already, and with nothing in its way. As soon as anything else shows, the answer is
   SLOW, and Python decodes the call anew. `tests/unit/engine/test_fast_path.py` holds both against each other. */

#define _GNU_SOURCE
#include "fastpath.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <structmember.h>
#include <sys/ioctl.h>
#include <time.h>

#define SET_FLAGS 0x40082104 /* SECCOMP_IOCTL_NOTIF_SET_FLAGS; its one flag is SYNC_WAKE_UP (Linux 6.6) */
#define QUICK 300000         /* nanoseconds; see `Pace` */
#define FLOOD 4

/* --- which calls, and where their arguments are ------------------------------------------------------------ */

enum act { OPEN, MAKE, UNLINK, LINK, MOVE, CHANGE, CHANGE_OPEN };

#define NO_FOLLOW 0x100 /* AT_SYMLINK_NOFOLLOW */

static const struct shape {
    const char *name;
    enum act act;
    signed char at, path; /* the descriptor that a path starts from (-1: the current directory), and the path */
    signed char flags;    /* -1: none */
    uint32_t fixed;       /* flags that the call has by its nature */
} shapes[] = {
    {"open", OPEN, -1, 0, 1, 0},
    {"openat", OPEN, 0, 1, 2, 0},
    {"creat", OPEN, -1, 0, -1, O_CREAT | O_WRONLY | O_TRUNC},
    {"mkdir", MAKE, -1, 0, -1, 0},
    {"mkdirat", MAKE, 0, 1, -1, 0},
    {"unlink", UNLINK, -1, 0, -1, 0},
    {"unlinkat", UNLINK, 0, 1, 2, 0},
    {"link", LINK, -1, 0, -1, 0},
    {"linkat", LINK, 0, 1, 4, 0},
    {"rename", MOVE, -1, 0, -1, 0},
    {"renameat", MOVE, 0, 1, -1, 0},
    {"renameat2", MOVE, 0, 1, 4, 0},
    {"chmod", CHANGE, -1, 0, -1, 0},
    {"fchmodat", CHANGE, 0, 1, -1, 0},
    {"fchmodat2", CHANGE, 0, 1, 3, 0},
    {"chown", CHANGE, -1, 0, -1, 0},
    {"lchown", CHANGE, -1, 0, -1, NO_FOLLOW},
    {"fchownat", CHANGE, 0, 1, 4, 0},
    {"utime", CHANGE, -1, 0, -1, 0},
    {"utimes", CHANGE, -1, 0, -1, 0},
    {"utimensat", CHANGE, 0, 1, 3, 0},
    {"fchmod", CHANGE_OPEN, 0, -1, -1, 0},
    {"fchown", CHANGE_OPEN, 0, -1, -1, 0},
};

/* What a call would do, once it is decoded. `deed` is DEEDS where nothing would change: it fails with `error`, or else may go on unseen. */
struct decoded {
    enum deed deed;
    int error;
    bool two;
    struct place one, other;
};

/* It can only fail, as of now. */
static enum outcome fails(struct decoded *found, int error) {
    found->deed = DEEDS;
    found->error = error;
    return DONE;
}

static enum outcome decode_open(const struct seccomp_notif *n, uint32_t at, const struct text *text, uint32_t flags, struct decoded *found) {
    bool made = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    bool writes = flags & (O_WRONLY | O_RDWR | O_TRUNC);
    if (is_device(text)) {
        found->deed = DEEDS;
        return DONE;
    }
    if (flags & O_PATH || (flags & O_TMPFILE) == O_TMPFILE || !(writes || flags & O_CREAT)) {
        return SLOW;
    }
    if (find((pid_t)n->pid, at, text, !made && !(flags & O_NOFOLLOW), &found->one) != DONE) {
        return SLOW;
    }
    found->deed = made ? CREATE : WRITE;
    if (!found->one.there) {
        return flags & O_CREAT ? DONE : fails(found, ENOENT);
    }
    if (made) {
        return fails(found, EEXIST);
    }
    return writes && S_ISREG(found->one.info.st_mode) ? DONE : SLOW;
}

/* Of link(2) and rename(2): the source first. */
static enum outcome decode_two(const struct seccomp_notif *n, const struct shape *shape, struct decoded *found) {
    struct text text;
    struct place *source = shape->act == MOVE ? &found->one : &found->other;
    struct place *target = shape->act == MOVE ? &found->other : &found->one;
    pid_t pid = (pid_t)n->pid;
    uint32_t from = shape->at < 0 ? HERE : (uint32_t)n->data.args[0], to = shape->at < 0 ? HERE : (uint32_t)n->data.args[2];
    uint64_t second = n->data.args[shape->at < 0 ? 1 : 3];
    if (read_text(pid, n->data.args[shape->path], &text) != DONE || find(pid, from, &text, false, source) != DONE) {
        return SLOW;
    }
    if (read_text(pid, second, &text) != DONE || find(pid, to, &text, false, target) != DONE) {
        return SLOW;
    }
    found->two = true;
    if (!source->there || !S_ISREG(source->info.st_mode)) {
        return SLOW;
    }
    found->deed = shape->act == MOVE ? RENAME : CREATE;
    return !target->there || (shape->act == MOVE && S_ISREG(target->info.st_mode)) ? DONE : SLOW;
}

static enum outcome decode_one(const struct seccomp_notif *n, const struct shape *shape, uint32_t flags, struct decoded *found) {
    struct text text;
    uint32_t at = shape->at < 0 ? HERE : (uint32_t)n->data.args[shape->at];
    uint64_t address = n->data.args[shape->path];
    if (shape->act == CHANGE && address == 0) { /* utimensat(2) of what is open */
        found->deed = METADATA;
        return find_open((pid_t)n->pid, at, &found->one) == DONE && S_ISREG(found->one.info.st_mode) ? DONE : SLOW;
    }
    if (read_text((pid_t)n->pid, address, &text) != DONE) {
        return SLOW;
    }
    if (shape->act == OPEN) {
        return decode_open(n, at, &text, flags, found);
    }
    bool follow = shape->act == CHANGE && !(flags & NO_FOLLOW);
    if ((flags & ~(uint32_t)NO_FOLLOW) || find((pid_t)n->pid, at, &text, follow, &found->one) != DONE) {
        return SLOW;
    }
    if (shape->act == MAKE) {
        found->deed = CREATE;
        return found->one.there ? fails(found, EEXIST) : DONE;
    }
    found->deed = shape->act == UNLINK ? REMOVE : METADATA;
    if (!found->one.there) {
        return fails(found, ENOENT);
    }
    return S_ISREG(found->one.info.st_mode) ? DONE : SLOW;
}

static enum outcome decode(Lane *lane, struct decoded *found) {
    const struct seccomp_notif *n = lane->notification;
    if (n->data.arch != lane->architecture || n->data.nr < 0 || (size_t)n->data.nr >= sizeof lane->shapes) {
        return SLOW;
    }
    if (lane->shapes[n->data.nr] < 0) {
        return SLOW;
    }
    const struct shape *shape = &shapes[lane->shapes[n->data.nr]];
    uint32_t flags = shape->fixed | (shape->flags < 0 ? 0 : (uint32_t)n->data.args[shape->flags]);
    found->two = false;
    found->error = 0;
    switch (shape->act) {
    case LINK:
    case MOVE:
        return flags ? SLOW : decode_two(n, shape, found);
    case CHANGE_OPEN:
        found->deed = METADATA;
        return find_open((pid_t)n->pid, (uint32_t)n->data.args[0], &found->one) == DONE && S_ISREG(found->one.info.st_mode) ? DONE : SLOW;
    default:
        return decode_one(n, shape, flags, found);
    }
}

/* --- one call ------------------------------------------------------------------------------------------------------ */

static bool starts_with(const struct place *place, PyObject *prefixes) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(prefixes); i++) {
        PyObject *prefix = PyTuple_GET_ITEM(prefixes, i);
        size_t size = (size_t)PyBytes_GET_SIZE(prefix);
        if (place->length >= size && memcmp(place->path, PyBytes_AS_STRING(prefix), size) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether what is known of the folder says so: 1, or else 0, which says nothing. */
static int knows(PyObject *directory, PyObject *name) {
    PyObject *whole = PyObject_GetAttrString(directory, "whole");
    if (whole == NULL || whole == Py_True) {
        Py_XDECREF(whole);
        return whole == NULL ? -1 : 1;
    }
    Py_DECREF(whole);
    PyObject *names = PyObject_GetAttrString(directory, "names");
    int found = names == NULL ? -1 : PySet_Contains(names, name);
    Py_XDECREF(names);
    return found;
}

/* Whether the command holds a claim to change the path: as `Coverage.__contains__`, which is asked where more than this is needed. */
static enum outcome is_covered(Lane *lane, const struct place *place) {
    PyObject *path = PyBytes_FromStringAndSize(place->path, (Py_ssize_t)place->length);
    PyObject *folder = PyBytes_FromStringAndSize(place->path, (Py_ssize_t)place->folder);
    PyObject *name = PyBytes_FromStringAndSize(place->path + place->folder + 1, (Py_ssize_t)(place->length - place->folder - 1));
    int covered = path == NULL || folder == NULL || name == NULL ? -1 : PySet_Contains(lane->granted, path);
    if (covered == 0) {
        PyObject *directory = PyDict_GetItemWithError(lane->directories, folder);
        covered = directory != NULL ? knows(directory, name) : PyErr_Occurred() ? -1 : 0;
    }
    if (covered == 0) {
        covered = PySequence_Contains(lane->writes, path);
    }
    Py_XDECREF(path);
    Py_XDECREF(folder);
    Py_XDECREF(name);
    return covered < 0 ? FAILED : covered ? DONE : SLOW;
}

/* As `Guard._take`: claims that nobody has to be asked for. */
static enum outcome take(Lane *lane, const struct decoded *call, const struct place *other) {
    PyObject *taken = PyObject_CallFunction(
        lane->take, "OOy#y#", lane->watched, PyTuple_GET_ITEM(lane->deeds, call->deed), call->one.path, (Py_ssize_t)call->one.length,
        other ? other->path : "", other ? (Py_ssize_t)other->length : (Py_ssize_t)0
    );
    Py_XDECREF(taken);
    return taken == NULL ? FAILED : taken == Py_True ? DONE : SLOW;
}

/* Record what the call is about to change, where it has to be. */
static enum outcome record(Lane *lane, const struct decoded *call, const struct place *other) {
    bool inside = starts_with(&call->one, lane->inside), other_inside = other != NULL && starts_with(other, lane->inside);
    if (!inside && !other_inside) {
        bool passes = starts_with(&call->one, lane->free) && (other == NULL || starts_with(other, lane->free));
        return passes ? DONE : SLOW;
    }
    if (!inside || (other != NULL && !other_inside) || is_ours(lane, &call->one) || (other != NULL && is_ours(lane, other))) {
        return SLOW;
    }
    enum outcome outcome = is_covered(lane, &call->one);
    if (outcome == DONE && call->deed == RENAME) { /* the file that a link gives one more name is only looked at */
        outcome = is_covered(lane, other);
    }
    if (outcome == SLOW) {
        outcome = take(lane, call, other);
    }
    return outcome == DONE ? intend(lane, call->deed, &call->one, other) : outcome;
}

/* Decode a call, and again when what it might have met has happened meanwhile. `flight_way` says whether it may go on. */
static enum outcome understand(Lane *lane, struct decoded *call) {
    for (;;) {
        bool again = false;
        enum outcome outcome = decode(lane, call);
        if (outcome == DONE && call->deed != DEEDS) {
            outcome = flight_way(lane, call->deed, &call->one, call->two ? &call->other : NULL, &again);
        }
        if (!again || outcome == FAILED) {
            return outcome;
        }
    }
}

/* As `Guard._serve`; the answer is left to `respond`. */
static enum outcome serve(Lane *lane) {
    struct decoded call;
    pid_t tid = (pid_t)lane->notification->pid;
    if (lane->transaction == NULL) {
        return SLOW;
    }
    enum outcome outcome = flight_arrived(lane, tid);
    if (outcome == DONE) {
        outcome = understand(lane, &call);
    }
    if (outcome == DONE && call.deed != DEEDS) {
        const struct place *other = call.two ? &call.other : NULL;
        outcome = record(lane, &call, other);
        if (outcome == DONE) {
            outcome = flight_note(lane, call.deed, &call.one, other);
        }
    }
    if (outcome == DONE) {
        lane->served++;
        lane->error = call.error;
    }
    return outcome;
}

/* --- the type ------------------------------------------------------------------------------------------------------- */

static PyObject *slow(Lane *lane) {
    const struct seccomp_notif *n = lane->notification;
    return PyObject_CallFunction(
        lane->make_notification, "KIIi(KKKKKK)", (unsigned long long)n->id, n->pid, n->data.arch, n->data.nr, n->data.args[0],
        n->data.args[1], n->data.args[2], n->data.args[3], n->data.args[4], n->data.args[5]
    );
}

/* Let the call run as it is, or fail. Best out of the turn: as soon as it is answered, its thread may take this very processor. */
static enum outcome respond(Lane *lane) {
    if (!lane->direct && !lane->error) {
        PyObject *done = PyObject_CallMethod(lane->listener, "proceed", "K", (unsigned long long)lane->notification->id);
        Py_XDECREF(done);
        return done == NULL ? FAILED : DONE;
    }
    struct seccomp_notif_resp response = {
        .id = lane->notification->id, .error = -lane->error, .flags = lane->error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE
    };
    int failed, number;
    Py_BEGIN_ALLOW_THREADS;
    do {
        failed = ioctl(lane->fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
        number = errno;
    } while (failed && number == EINTR);
    Py_END_ALLOW_THREADS;
    if (failed && number != ENOENT) { /* ENOENT: the caller is gone */
        errno = number;
        PyErr_SetFromErrno(PyExc_OSError);
        return FAILED;
    }
    return DONE;
}

/* Wait for a call. DONE: it is there; SLOW: the wait was interrupted, or nobody is left; FAILED. */
static enum outcome receive(Lane *lane) {
    int failed, number;
    memset(lane->notification, 0, lane->notification_size); /* the kernel insists on zeros */
    Py_BEGIN_ALLOW_THREADS;
    struct pollfd wait = {.fd = lane->fd, .events = POLLIN};
    if (!lane->sleeps && (poll(&wait, 1, -1) < 0 || !(wait.revents & POLLIN))) {
        failed = -1;
        number = EINTR;
    } else {
        failed = ioctl(lane->fd, SECCOMP_IOCTL_NOTIF_RECV, lane->notification);
        number = errno;
    }
    Py_END_ALLOW_THREADS;
    if (!failed) {
        return DONE;
    }
    if (number == ENOENT || number == EINTR) {
        return SLOW;
    }
    errno = number;
    PyErr_SetFromErrno(PyExc_OSError);
    return FAILED;
}

/* In the turn: None when the attempt has ended. */
static PyObject *serve_in_turn(Lane *lane, enum outcome *outcome) {
    PyObject *ended = PyObject_GetAttrString(lane->watched, "ended");
    if (ended == NULL || ended == Py_True) {
        *outcome = SLOW;
        Py_XDECREF(ended);
        return ended == NULL ? NULL : Py_NewRef(Py_None);
    }
    Py_DECREF(ended);
    *outcome = serve(lane);
    if (*outcome == DONE && !lane->direct) {
        *outcome = respond(lane); /* as in Python, where tests stop everything at an answer */
    }
    return *outcome == DONE ? Py_NewRef(Py_None) : *outcome == SLOW ? slow(lane) : NULL;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return nanoseconds(time);
}

/* As `Pace`: hand the processor over in a flood of one thread's calls. */
static void keep_pace(Lane *lane) {
    bool quick = lane->notification->pid == lane->last && now() - lane->answered < QUICK;
    lane->last = lane->notification->pid;
    lane->row = quick ? lane->row + 1 : 0;
    bool flood = lane->row >= FLOOD;
    if (flood != lane->sync && ioctl(lane->fd, SET_FLAGS, flood ? 1ul : 0ul) == 0) {
        lane->sync = flood;
    }
}

PyDoc_STRVAR(next_doc, "The next call that is not for the fast path; None when there may be none any more.\n\n"
                       "Calls before it are answered, each in the engine's turn.");

static PyObject *lane_next(Lane *lane, PyObject *Py_UNUSED(ignored)) {
    for (;;) {
        enum outcome outcome = receive(lane);
        if (outcome != DONE) {
            return outcome == FAILED ? NULL : Py_NewRef(Py_None);
        }
        keep_pace(lane);
        PyObject *turn = PyObject_CallNoArgs(lane->acquire);
        if (turn == NULL) {
            return NULL;
        }
        Py_DECREF(turn);
        PyObject *call = serve_in_turn(lane, &outcome);
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyObject *done = PyObject_CallNoArgs(lane->release);
        Py_XDECREF(done);
        PyErr_Restore(type, value, trace);
        if (call == NULL || outcome != DONE) {
            return call;
        }
        Py_DECREF(call);
        if (lane->direct && respond(lane) != DONE) {
            return NULL;
        }
        lane->answered = now();
    }
}

/* Whether all of these attributes could be had. */
static bool fetch(PyObject *object, const char *const names[], PyObject **places[]) {
    for (int i = 0; names[i] != NULL; i++) {
        PyObject *value = PyObject_GetAttrString(object, names[i]);
        if (value == NULL) {
            return false;
        }
        Py_XSETREF(*places[i], value);
    }
    return true;
}

PyDoc_STRVAR(arm_doc, "arm(transaction, running, home, direct)\n--\n\n"
                      "From now on calls are answered: the attempt's transaction has begun.\n\n"
                      "`running`: the state in which it records. `home`: the folder of journals. `direct`: changing calls are made\n"
                      "here; otherwise by way of the transaction's disk and the listener, where tests can count them.");

static PyObject *lane_arm(Lane *lane, PyObject *given) {
    PyObject *transaction, *running, *home, *shared = NULL, *keeper = NULL;
    int direct;
    if (!PyArg_ParseTuple(given, "OOSp:arm", &transaction, &running, &home, &direct)) {
        return NULL;
    }
    long long scope = number_of(transaction, "_scope");
    if (scope == -1 && PyErr_Occurred()) {
        return NULL;
    }
    const char *const of_transaction[] = {"_known", "_timed", "_pending", "_shared", NULL};
    PyObject **known[] = {&lane->known, &lane->timed, &lane->pending, &shared};
    const char *const of_shared[] = {"moving", "live", "journal", "keeper", "disk", NULL};
    PyObject **rest[] = {&lane->moving, &lane->live, &lane->journal, &keeper, &lane->disk};
    bool there = fetch(transaction, of_transaction, known) && fetch(shared, of_shared, rest);
    Py_XDECREF(shared);
    if (!there) {
        Py_XDECREF(keeper);
        return NULL;
    }
    Py_XSETREF(lane->keeper, keeper);
    const char *const of_keeper[] = {"_budget", NULL};
    PyObject **budget[] = {&lane->budget};
    if (!fetch(keeper, of_keeper, budget)) {
        return NULL;
    }
    lane->scope = (uint16_t)scope;
    lane->direct = direct;
    Py_XSETREF(lane->running, Py_NewRef(running));
    Py_XSETREF(lane->home, Py_NewRef(home));
    Py_XSETREF(lane->transaction, Py_NewRef(transaction)); /* last: it says that the rest is there */
    Py_RETURN_NONE;
}

static int set_shapes(Lane *lane, PyObject *numbers) {
    memset(lane->shapes, -1, sizeof lane->shapes);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        PyObject *number = PyDict_GetItemString(numbers, shapes[i].name);
        long at = number == NULL ? -1 : PyLong_AsLong(number);
        if (at == -1 && PyErr_Occurred()) {
            return -1;
        }
        if (at >= 0 && (size_t)at < sizeof lane->shapes) {
            lane->shapes[at] = (signed char)i;
        }
    }
    return 0;
}

static int lane_init(Lane *lane, PyObject *given, PyObject *named) {
    static char *words[] = {"watched", "turn", "inflight", "deeds", "numbers", "architecture", "size", "sleeps", "inside", "free", "make_notification", "take", NULL};
    PyObject *watched, *turn, *inflight, *deeds, *numbers, *inside, *free_places, *make, *take, *listener = NULL, *writes = NULL;
    unsigned int architecture;
    Py_ssize_t size;
    int sleeps;
    if (!PyArg_ParseTupleAndKeywords(
            given, named, "OOOO!O!InpO!O!OO:Lane", words, &watched, &turn, &inflight, &PyTuple_Type, &deeds, &PyDict_Type, &numbers,
            &architecture, &size, &sleeps, &PyTuple_Type, &inside, &PyTuple_Type, &free_places, &make, &take
        )) {
        return -1;
    }
    if (PyTuple_GET_SIZE(deeds) != DEEDS || size < (Py_ssize_t)sizeof(struct seccomp_notif) || lane->notification != NULL) {
        PyErr_SetString(PyExc_ValueError, "a lane takes its five deeds and the size of a notification, once");
        return -1;
    }
    const char *const of_watched[] = {"listener", "writes", NULL};
    PyObject **ends[] = {&listener, &writes};
    const char *const of_turn[] = {"acquire", "release", NULL};
    PyObject **turns[] = {&lane->acquire, &lane->release};
    const char *const of_flight[] = {"recent", "_calls", "_at", "_structural", NULL};
    PyObject **flights[] = {&lane->recent, &lane->calls, &lane->at, &lane->structural};
    bool there = fetch(watched, of_watched, ends) && fetch(turn, of_turn, turns) && fetch(inflight, of_flight, flights);
    Py_XSETREF(lane->listener, listener);
    Py_XSETREF(lane->writes, writes);
    const char *const of_writes[] = {"_granted", "_directories", NULL};
    PyObject **covers[] = {&lane->granted, &lane->directories};
    if (!there || !fetch(writes, of_writes, covers) || set_shapes(lane, numbers) < 0) {
        return -1;
    }
    PyObject *fd = PyObject_CallMethod(listener, "fileno", NULL);
    lane->fd = fd == NULL ? -1 : (int)PyLong_AsLong(fd);
    Py_XDECREF(fd);
    lane->notification = PyMem_Calloc(1, (size_t)size);
    if (PyErr_Occurred() || lane->notification == NULL) {
        return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
    }
    lane->notification_size = (size_t)size;
    lane->architecture = architecture;
    lane->sleeps = sleeps;
    Py_XSETREF(lane->watched, Py_NewRef(watched));
    Py_XSETREF(lane->inflight, Py_NewRef(inflight));
    Py_XSETREF(lane->deeds, Py_NewRef(deeds));
    Py_XSETREF(lane->inside, Py_NewRef(inside));
    Py_XSETREF(lane->free, Py_NewRef(free_places));
    Py_XSETREF(lane->make_notification, Py_NewRef(make));
    Py_XSETREF(lane->take, Py_NewRef(take));
    return 0;
}

#define REFERENCES(DO)                                                                                                             \
    DO(watched) DO(listener) DO(acquire) DO(release) DO(deeds) DO(take) DO(make_notification) DO(inside) DO(free) DO(writes) DO(granted)     \
    DO(directories) DO(inflight) DO(recent) DO(calls) DO(at) DO(structural) DO(transaction) DO(running) DO(known) DO(timed)         \
    DO(pending) DO(moving) DO(live) DO(journal) DO(keeper) DO(budget) DO(disk) DO(home)

static int lane_traverse(Lane *lane, visitproc visit, void *arg) {
#define VISIT(name) Py_VISIT(lane->name);
    REFERENCES(VISIT)
    return 0;
}

static int lane_clear(Lane *lane) {
#define CLEAR(name) Py_CLEAR(lane->name);
    REFERENCES(CLEAR)
    return 0;
}

static void lane_dealloc(Lane *lane) {
    PyObject_GC_UnTrack(lane);
    lane_clear(lane);
    PyMem_Free(lane->notification);
    Py_TYPE(lane)->tp_free((PyObject *)lane);
}

static PyMethodDef lane_methods[] = {
    {"next", (PyCFunction)lane_next, METH_NOARGS, next_doc},
    {"arm", (PyCFunction)lane_arm, METH_VARARGS, arm_doc},
    {NULL, NULL, 0, NULL},
};

static PyObject *lane_is_armed(Lane *lane, void *Py_UNUSED(closure)) {
    return PyBool_FromLong(lane->transaction != NULL);
}

static PyGetSetDef lane_properties[] = {
    {"is_armed", (getter)lane_is_armed, NULL, "Whether calls are answered.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef lane_members[] = {
    {"served", T_ULONGLONG, offsetof(Lane, served), READONLY, "Calls that were answered here."},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject lane_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "pytest_cbx.engine._fastpath.Lane",
    .tp_basicsize = sizeof(Lane),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "The fast path of one supervised attempt.",
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)lane_init,
    .tp_dealloc = (destructor)lane_dealloc,
    .tp_traverse = (traverseproc)lane_traverse,
    .tp_clear = (inquiry)lane_clear,
    .tp_methods = lane_methods,
    .tp_members = lane_members,
    .tp_getset = lane_properties,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_fastpath",
    .m_doc = "The fast path of trapped calls.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__fastpath(void) {
    start_records();
    if (PyType_Ready(&lane_type) < 0) {
        return NULL;
    }
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Lane", (PyObject *)&lane_type) < 0) {
        Py_CLEAR(made);
    }
    return made;
}
