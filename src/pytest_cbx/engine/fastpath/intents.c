/* What a transaction keeps before a call may go on: the usual cases of `transaction/intents.py`, with their names and in their order.

   The state is Python's own: what is done here could have been done there, and either may go on where the other stopped. What is not
   usual (a rename that may not have happened yet, a large file, extended attributes, whatever fails) is SLOW: then nothing has been
   recorded, and Python begins anew. */

#define _GNU_SOURCE
#include "fastpath.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* What is known of a name; see there. */
enum { FRESH = 1, WRITTEN = 2, KEPT_META = 3, NAMED = 4, GONE = 5, UNKNOWN = 9 };

#define POOLED (1 << 15)
#define RACY 1000000000

/* --- Python's values ------------------------------------------------------------------------------------------ */

long long number_of(PyObject *object, const char *name) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value == NULL) {
        return -1;
    }
    long long number = PyLong_AsLongLong(value);
    Py_DECREF(value);
    return number;
}

int set_number(PyObject *object, const char *name, long long value) {
    PyObject *number = PyLong_FromLongLong(value);
    int failed = number == NULL ? -1 : PyObject_SetAttrString(object, name, number);
    Py_XDECREF(number);
    return failed;
}

static PyObject *path_of(const struct place *place) {
    return PyBytes_FromStringAndSize(place->path, (Py_ssize_t)place->length);
}

static PyObject *folder_of(const struct place *place) {
    return PyBytes_FromStringAndSize(place->path, (Py_ssize_t)place->folder);
}

static PyObject *name_of(const struct place *place) {
    return PyBytes_FromStringAndSize(place->path + place->folder + 1, (Py_ssize_t)(place->length - place->folder - 1));
}

/* A place with the keys under which Python knows it. */
struct entry {
    const struct place *place;
    PyObject *folder, *name, *path;
};

static enum outcome open_entry(struct entry *entry, const struct place *place) {
    *entry = (struct entry){place, folder_of(place), name_of(place), path_of(place)};
    return entry->folder != NULL && entry->name != NULL && entry->path != NULL ? DONE : FAILED;
}

static void close_entry(struct entry *entry) {
    Py_CLEAR(entry->folder);
    Py_CLEAR(entry->name);
    Py_CLEAR(entry->path);
}

/* What is known of a name in a folder; -1 with an exception. */
static long known(Lane *lane, PyObject *folder, PyObject *name) {
    PyObject *names = PyDict_GetItemWithError(lane->known, folder);
    PyObject *state = names == NULL ? NULL : PyDict_GetItemWithError(names, name);
    if (state == NULL) {
        return PyErr_Occurred() ? -1 : UNKNOWN;
    }
    return PyLong_AsLong(state);
}

static enum outcome learn(Lane *lane, const struct entry *entry, long state) {
    PyObject *value = PyLong_FromLong(state);
    PyObject *names = PyDict_GetItemWithError(lane->known, entry->folder);
    int failed = -1;
    if (value != NULL && names != NULL) {
        failed = PyDict_SetItem(names, entry->name, value);
    } else if (value != NULL && !PyErr_Occurred() && (names = PyDict_New()) != NULL) {
        failed = PyDict_SetItem(names, entry->name, value) || PyDict_SetItem(lane->known, entry->folder, names);
        Py_DECREF(names);
    }
    Py_XDECREF(value);
    return failed ? FAILED : DONE;
}

static enum outcome forget(Lane *lane, const struct entry *entry) {
    PyObject *names = PyDict_GetItemWithError(lane->known, entry->folder);
    int had = names == NULL ? (PyErr_Occurred() ? -1 : 0) : PyDict_Contains(names, entry->name);
    return had < 0 || (had && PyDict_DelItem(names, entry->name) < 0) ? FAILED : DONE;
}

/* --- changing calls ---------------------------------------------------------------------------------------------- */

/* The result of a call of Python's, without one: whoever asked tries again there. */
static long long forgive(PyObject *result) {
    if (result == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_OSError)) {
            return -2;
        }
        PyErr_Clear();
        return -1;
    }
    long long number = result == Py_None ? 0 : PyLong_AsLongLong(result);
    Py_DECREF(result);
    return number;
}

/* write(2): as many bytes as were written, -1 for an error, -2 with an exception. */
static long long write_to(Lane *lane, int fd, const void *data, size_t size) {
    if (lane->direct) {
        return write(fd, data, size);
    }
    return forgive(PyObject_CallMethod(lane->disk, "write", "iy#", fd, (const char *)data, (Py_ssize_t)size));
}

static long long link_to(Lane *lane, const char *path, const char *kept) {
    if (lane->direct) {
        return linkat(AT_FDCWD, path, AT_FDCWD, kept, 0);
    }
    PyObject *result = NULL, *link = PyObject_GetAttrString(lane->disk, "link");
    PyObject *given = Py_BuildValue("(yy)", path, kept), *named = Py_BuildValue("{s:O}", "follow_symlinks", Py_False);
    if (link != NULL && given != NULL && named != NULL) {
        result = PyObject_Call(link, given, named);
    }
    Py_XDECREF(link);
    Py_XDECREF(given);
    Py_XDECREF(named);
    return forgive(result);
}

/* As `Journal.append`. SLOW: nothing of it is in the journal, or what is there is marked as torn. */
static enum outcome append(Lane *lane, const struct batch *batch) {
    if (batch->length == 0) {
        return DONE;
    }
    PyObject *torn = PyObject_GetAttrString(lane->journal, "_torn");
    if (torn == NULL) {
        return FAILED;
    }
    bool is_torn = torn != Py_False;
    Py_DECREF(torn);
    long long fd = number_of(lane->journal, "_descriptor"), size = number_of(lane->journal, "_size");
    if (PyErr_Occurred()) {
        return FAILED;
    }
    if (is_torn || fd < 0) {
        return SLOW;
    }
    long long written = write_to(lane, (int)fd, batch->data, batch->length);
    if (written == (long long)batch->length) {
        return set_number(lane->journal, "_size", size + written) ? FAILED : DONE;
    }
    if (written == -2 || PyObject_SetAttrString(lane->journal, "_torn", Py_True) < 0) {
        return FAILED;
    }
    return SLOW;
}

/* --- what is kept ------------------------------------------------------------------------------------------------- */

static bool is_racy(const struct stat *info) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(info->st_ctim) > nanoseconds(now) - RACY;
}

/* No attribute is there, or none can be: the records made here have none. */
static bool has_attributes(const struct place *place) {
    ssize_t size = llistxattr(place->path, NULL, 0);
    return size > 0 || (size < 0 && errno != ENOTSUP);
}

/* As `_covers`, of something that is no directory. */
static bool covers(long state, const struct stat *info) {
    return state == FRESH || (state == NAMED && info->st_nlink == 1);
}

/* The record of the folder's times, on its first touch: as `_times`. `fresh`: the folder is to be added to `timed` then. */
static enum outcome times(Lane *lane, const struct entry *entry, struct batch *batch, bool *fresh) {
    *fresh = false;
    int timed = PySet_Contains(lane->timed, entry->folder);
    if (timed) {
        return timed < 0 ? FAILED : DONE;
    }
    struct place folder = {.length = entry->place->folder};
    memcpy(folder.path, entry->place->path, folder.length);
    folder.path[folder.length] = 0;
    const char *slash = memrchr(folder.path, '/', folder.length);
    if (slash == NULL) {
        return SLOW;
    }
    folder.folder = (size_t)(slash - folder.path);
    struct entry above;
    enum outcome outcome = open_entry(&above, &folder);
    long state = outcome == DONE ? known(lane, above.folder, above.name) : -1;
    close_entry(&above);
    if (state < 0) {
        return FAILED;
    }
    *fresh = true;
    if (state == NAMED) {
        return DONE; /* made by this transaction: it goes as a whole */
    }
    if (lstat(folder.path, &folder.info) != 0) {
        return SLOW;
    }
    add_times(batch, lane->scope, &folder);
    return DONE;
}

static enum outcome note_times(Lane *lane, const struct entry *entry, bool fresh) {
    return fresh && PySet_Add(lane->timed, entry->folder) < 0 ? FAILED : DONE;
}

/* As `Keeper.keep`, by a link in the journal's folder. */
static enum outcome keep(Lane *lane, const struct entry *entry, struct batch *batch) {
    const struct place *place = entry->place;
    bool racy = is_racy(&place->info);
    if (has_attributes(place)) {
        return SLOW;
    }
    long long number = number_of(lane->journal, "_kept");
    if (number < 0 || set_number(lane->journal, "_kept", number + 1)) {
        return FAILED;
    }
    number++;
    PyObject *folder = PyObject_GetAttrString(lane->journal, "folder");
    if (folder == NULL) {
        return FAILED;
    }
    char kept[PATH_MAX];
    int size = snprintf(kept, sizeof kept, "%s/%lld", PyBytes_AsString(folder), number);
    Py_DECREF(folder);
    if (size < 0 || (size_t)size >= sizeof kept) {
        return PyErr_Occurred() ? FAILED : SLOW;
    }
    long long linked = link_to(lane, place->path, kept);
    if (linked != 0) {
        return linked == -2 ? FAILED : SLOW;
    }
    add_linked(batch, lane->scope, place, (uint32_t)number, racy);
    return DONE;
}

/* As `_settle_pending`, where nothing has to be done: the rename onto the path has happened. Else SLOW. */
static enum outcome settle_pending(Lane *lane, const struct entry *entry) {
    PyObject *pending = PyDict_GET_SIZE(lane->pending) ? PyDict_GetItemWithError(lane->pending, entry->path) : NULL;
    if (pending == NULL) {
        return PyErr_Occurred() ? FAILED : DONE;
    }
    const char *source;
    unsigned long long device, inode;
    if (!PyArg_ParseTuple(pending, "y(KK)", &source, &device, &inode)) {
        return FAILED;
    }
    struct stat info;
    if (lstat(source, &info) == 0 ? info.st_dev == device && info.st_ino == inode : errno != ENOENT) {
        return SLOW;
    }
    return PyDict_DelItem(lane->pending, entry->path) < 0 ? FAILED : DONE;
}

/* --- before a call ------------------------------------------------------------------------------------------------ */

/* As `_make`: nothing is at the path, something will be. */
static enum outcome make(Lane *lane, const struct entry *entry, long state, long then) {
    enum outcome outcome = settle_pending(lane, entry);
    if (outcome == DONE && state != NAMED && state != GONE) {
        struct batch batch = {.length = 0};
        bool fresh;
        if (PyDict_GET_SIZE(lane->moving)) {
            return SLOW;
        }
        outcome = times(lane, entry, &batch, &fresh);
        if (outcome == DONE) {
            add_absent(&batch, lane->scope, entry->place);
            outcome = append(lane, &batch);
        }
        if (outcome == DONE) {
            outcome = note_times(lane, entry, fresh);
        }
    }
    return outcome == DONE ? learn(lane, entry, then) : outcome;
}

static enum outcome create(Lane *lane, const struct entry *entry, long state) {
    if (state == FRESH || state == NAMED) {
        return learn(lane, entry, NAMED);
    }
    return make(lane, entry, state, NAMED);
}

/* The content of a small file; its bytes, or -1. */
static ssize_t read_small(const struct place *place, unsigned char data[POOLED + 1]) {
    int source = open(place->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
    if (source < 0) {
        return -1;
    }
    ssize_t size = read(source, data, POOLED + 1);
    close(source);
    return size;
}

/* Give bytes of the budget back, or take them. */
static enum outcome charge(Lane *lane, long long size) {
    if (lane->budget == Py_None || size == 0) {
        return DONE;
    }
    PyObject *taken = size > 0 ? PyObject_CallMethod(lane->budget, "take", "L", size)
                               : PyObject_CallMethod(lane->budget, "give_back", "L", -size);
    if (taken == NULL) {
        return FAILED;
    }
    bool refused = taken == Py_False;
    Py_DECREF(taken);
    if (refused) {
        return SLOW;
    }
    long long before = number_of(lane->keeper, "taken");
    return PyErr_Occurred() || set_number(lane->keeper, "taken", before + size) ? FAILED : DONE;
}

/* As `Journal.pool`: a copy in the pool; where it begins is its offset. */
static enum outcome pool_content(Lane *lane, const struct place *place, struct copy *copy) {
    unsigned char data[POOLED + 1];
    long long fd = number_of(lane->journal, "_pool");
    long long offset = number_of(lane->journal, "_pool_size");
    PyObject *torn = PyErr_Occurred() ? NULL : PyObject_GetAttrString(lane->journal, "_pool_torn");
    if (torn == NULL) {
        return FAILED;
    }
    bool is_torn = torn != Py_False;
    Py_DECREF(torn);
    ssize_t size = fd < 0 || is_torn ? -1 : read_small(place, data);
    if (size < 0) {
        return SLOW;
    }
    long long written = write_to(lane, (int)fd, data, (size_t)size);
    if (written == size) {
        copy->offset = (uint64_t)offset;
        copy->size = (uint32_t)size;
        return set_number(lane->journal, "_pool_size", offset + written) ? FAILED : DONE;
    }
    if (written == -2 || PyObject_SetAttrString(lane->journal, "_pool_torn", Py_True) < 0) {
        return FAILED;
    }
    return SLOW;
}

/* As `Keeper.pool` and what follows it in `prepare_write`. */
static enum outcome write_small(Lane *lane, const struct entry *entry) {
    const struct place *place = entry->place;
    const struct stat *info = &place->info;
    if (info->st_size > POOLED || info->st_blocks * 512 < info->st_size || !(info->st_mode & S_IRUSR)) {
        return SLOW;
    }
    struct copy copy = {.racy = is_racy(info)};
    enum outcome outcome = has_attributes(place) ? SLOW : charge(lane, info->st_size);
    if (outcome != DONE) {
        return outcome;
    }
    outcome = pool_content(lane, place, &copy);
    if (outcome == DONE) {
        struct batch batch = {.length = 0};
        add_pooled(&batch, lane->scope, place, &copy);
        outcome = append(lane, &batch);
    }
    if (outcome == SLOW && charge(lane, -(long long)info->st_size) != DONE) {
        return FAILED;
    }
    return outcome == DONE ? learn(lane, entry, WRITTEN) : outcome;
}

static enum outcome write_file(Lane *lane, const struct entry *entry, long state) {
    if (state <= WRITTEN) {
        return DONE;
    }
    if (!entry->place->there) {
        return make(lane, entry, state, FRESH);
    }
    if (state == NAMED && entry->place->info.st_nlink == 1) {
        return learn(lane, entry, FRESH);
    }
    return write_small(lane, entry);
}

static enum outcome remove_file(Lane *lane, const struct entry *entry, long state) {
    if (state == FRESH) {
        return DONE;
    }
    enum outcome outcome = settle_pending(lane, entry);
    if (outcome != DONE || covers(state, &entry->place->info)) {
        return outcome;
    }
    struct batch batch = {.length = 0};
    bool fresh;
    outcome = times(lane, entry, &batch, &fresh);
    if (outcome == DONE) {
        outcome = keep(lane, entry, &batch);
    }
    if (outcome == DONE) {
        outcome = append(lane, &batch);
    }
    if (outcome == DONE) {
        outcome = note_times(lane, entry, fresh);
    }
    return outcome == DONE ? learn(lane, entry, GONE) : outcome;
}

static enum outcome change_metadata(Lane *lane, const struct entry *entry, long state) {
    const struct stat *info = &entry->place->info;
    if (state <= KEPT_META || (state == NAMED && info->st_nlink == 1)) {
        return DONE;
    }
    bool racy = is_racy(info);
    if (has_attributes(entry->place)) {
        return SLOW;
    }
    struct batch batch = {.length = 0};
    add_meta(&batch, lane->scope, entry->place, racy);
    enum outcome outcome = append(lane, &batch);
    return outcome == DONE ? learn(lane, entry, KEPT_META) : outcome;
}

/* What is known after a rename: as the end of `rename`, of files and with no transaction nested. */
static enum outcome learn_rename(Lane *lane, const struct entry *source, const struct entry *target) {
    if (forget(lane, source) != DONE || forget(lane, target) != DONE) {
        return FAILED;
    }
    const struct stat *moved = &source->place->info;
    PyObject *pending =
        Py_BuildValue("(O(KK))", source->path, (unsigned long long)moved->st_dev, (unsigned long long)moved->st_ino);
    int failed = pending == NULL ? -1 : PyDict_SetItem(lane->pending, target->path, pending);
    Py_XDECREF(pending);
    return failed ? FAILED : DONE;
}

/* As `rename`, of a file to a name that is free or another file's. */
static enum outcome rename_file(Lane *lane, const struct entry *source, const struct entry *target) {
    const struct place *from = source->place, *to = target->place;
    if (PyList_GET_SIZE(lane->live) != 1) {
        return SLOW;
    }
    if (to->there && to->info.st_dev == from->info.st_dev && to->info.st_ino == from->info.st_ino) {
        return SLOW;
    }
    enum outcome outcome = settle_pending(lane, source);
    if (outcome == DONE) {
        outcome = settle_pending(lane, target);
    }
    long state = outcome == DONE ? known(lane, target->folder, target->name) : UNKNOWN;
    if (outcome != DONE || state < 0) {
        return outcome == DONE ? FAILED : outcome;
    }
    if (to->there && state == GONE) {
        return SLOW; /* a call that was let go before may yet take it away */
    }
    struct batch batch = {.length = 0};
    bool fresh_there, fresh_here = false;
    outcome = times(lane, target, &batch, &fresh_there);
    if (outcome == DONE && to->there && !covers(state, &to->info)) {
        outcome = keep(lane, target, &batch);
    }
    bool elsewhere = from->folder != to->folder || memcmp(from->path, to->path, from->folder) != 0;
    if (outcome == DONE && elsewhere) {
        outcome = times(lane, source, &batch, &fresh_here);
    }
    if (outcome == DONE) {
        add_rename(&batch, lane->scope, from, to);
        outcome = append(lane, &batch);
    }
    if (outcome == DONE) {
        outcome = note_times(lane, target, fresh_there);
    }
    if (outcome == DONE) {
        outcome = note_times(lane, source, fresh_here);
    }
    return outcome == DONE ? learn_rename(lane, source, target) : outcome;
}

static enum outcome is_running(Lane *lane) {
    PyObject *state = PyObject_GetAttrString(lane->transaction, "state");
    Py_XDECREF(state);
    return state == NULL ? FAILED : state == lane->running ? DONE : SLOW;
}

enum outcome intend(Lane *lane, enum deed deed, const struct place *path, const struct place *other) {
    struct entry entry = {0}, second = {0};
    enum outcome outcome = is_running(lane);
    if (outcome == DONE) {
        outcome = open_entry(&entry, path);
    }
    if (outcome == DONE && deed == RENAME) {
        outcome = open_entry(&second, other);
    }
    long state = outcome == DONE ? known(lane, entry.folder, entry.name) : 0;
    if (state < 0) {
        outcome = FAILED;
    }
    if (outcome == DONE) {
        switch (deed) {
        case WRITE:
            outcome = write_file(lane, &entry, state);
            break;
        case CREATE:
            outcome = create(lane, &entry, state);
            break;
        case REMOVE:
            outcome = remove_file(lane, &entry, state);
            break;
        case RENAME:
            outcome = rename_file(lane, &entry, &second);
            break;
        default:
            outcome = change_metadata(lane, &entry, state);
        }
    }
    close_entry(&entry);
    close_entry(&second);
    return outcome;
}

bool is_ours(Lane *lane, const struct place *place) {
    size_t size = (size_t)PyBytes_GET_SIZE(lane->home);
    return size > 0 && place->length >= size && memcmp(place->path, PyBytes_AS_STRING(lane->home), size) == 0 &&
           (place->length == size || place->path[size] == '/');
}
