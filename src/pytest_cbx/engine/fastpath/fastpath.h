/* The fast path of trapped calls: what its parts share. `lane.c` says what it is. */

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* How it ended: an exception is set; nothing was done, ask Python; done. */
enum outcome { FAILED = -1, SLOW = 0, DONE = 1 };

/* AT_FDCWD as a register holds it. */
#define HERE 0xFFFFFF9Cu

/* --- kernel.c: other processes' memory and paths; no Python ------------------------------------------------ */

struct text {
    char bytes[PATH_MAX];
    size_t length;
};

/* Where a path leads, and what is there. */
struct place {
    char path[PATH_MAX];
    size_t length;
    size_t folder; /* bytes of the directory, without a slash at its end */
    bool there;
    struct stat info; /* of lstat(2), if something is there */
};

/* The string at an address of a process, shorter than PATH_MAX. */
enum outcome read_text(pid_t pid, uint64_t address, struct text *text);
/* As `resolve.entry` and `resolve.thing`, where the directory is canonical as it is written and the last name is no link that is followed. */
enum outcome find(pid_t pid, uint32_t descriptor, const struct text *text, bool follow, struct place *place);
/* What a descriptor is open on, where its name leads to it. */
enum outcome find_open(pid_t pid, uint32_t descriptor, struct place *place);
/* One of those that shells open all the time. */
bool is_device(const struct text *text);
int64_t nanoseconds(struct timespec time);

/* --- records.c: the journal's records as bytes; no Python ----------------------------------------------- */

struct batch {
    size_t length;
    unsigned char data[6 * PATH_MAX + 1024];
};

/* A copy of a small file in the pool. */
struct copy {
    uint64_t offset;
    uint32_t size;
    bool racy; /* see `Meta` */
};

void start_records(void);
void add_absent(struct batch *batch, uint16_t scope, const struct place *place);
void add_times(struct batch *batch, uint16_t scope, const struct place *folder);
void add_linked(struct batch *batch, uint16_t scope, const struct place *place, uint32_t kept, bool racy);
void add_pooled(struct batch *batch, uint16_t scope, const struct place *place, const struct copy *copy);
void add_meta(struct batch *batch, uint16_t scope, const struct place *place, bool racy);
void add_rename(struct batch *batch, uint16_t scope, const struct place *source, const struct place *target);

/* --- the lane: one supervised attempt ------------------------------------------------------------------------ */

enum deed { WRITE, CREATE, REMOVE, RENAME, METADATA, DEEDS };

typedef struct {
    PyObject_HEAD
    int fd;
    size_t notification_size;
    bool sleeps;     /* the receiving call ends when nobody is left to make a call */
    uint32_t architecture;
    signed char shapes[1024]; /* by number of the call: index into `shapes`, or -1 */
    struct seccomp_notif *notification;
    PyObject *watched, *listener, *acquire, *release, *deeds, *take, *make_notification;
    PyObject *inside, *free; /* tuples of bytes: prefixes of paths */
    /* of `Coverage` */
    PyObject *writes, *granted, *directories;
    /* of `InFlight` */
    PyObject *inflight, *recent, *calls, *at, *structural;
    /* of the transaction, once it has begun */
    PyObject *transaction, *running, *known, *timed, *pending, *moving, *live, *journal, *keeper, *budget, *disk, *home;
    uint16_t scope;
    bool direct; /* changing calls are made here, not by way of Python's functions */
    int error; /* with which the call is to fail that was served last; 0: it may go on */
    /* the pace of its calls */
    uint32_t last;
    int64_t answered;
    unsigned int row;
    bool sync;
    unsigned long long served;
} Lane;

/* --- flight.c: as `inflight.py` ------------------------------------------------------------------------------- */

enum outcome flight_arrived(Lane *lane, pid_t tid);
/* `again`: what was on its way to the path has happened by now, so the call is to be decoded anew. */
enum outcome flight_way(Lane *lane, enum deed deed, const struct place *path, const struct place *other, bool *again);
enum outcome flight_note(Lane *lane, enum deed deed, const struct place *path, const struct place *other);

/* --- intents.c: as `intents.py`, `keeping.py` and `journal.py` ------------------------------------------ */

enum outcome intend(Lane *lane, enum deed deed, const struct place *path, const struct place *other);
bool is_ours(Lane *lane, const struct place *place);

/* An attribute that is an integer. -1 with an exception. */
long long number_of(PyObject *object, const char *name);
int set_number(PyObject *object, const char *name, long long value);
