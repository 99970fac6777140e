/* Where the paths of another process lead: the plain half of `execute/supervision/resolve.py`.

   What is not plain (links on the way, dots, deleted directories, anything that fails) is left to Python: SLOW. */

#define _GNU_SOURCE
#include "fastpath.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u

static const char deleted[] = " (deleted)";

int64_t nanoseconds(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

enum outcome read_text(pid_t pid, uint64_t address, struct text *text) {
    size_t came = 0;
    while (came < PATH_MAX) {
        uint64_t from = address + came;
        size_t size = PAGE - (from & (PAGE - 1)); /* the next page may not be there */
        if (size > PATH_MAX - came) {
            size = PATH_MAX - came;
        }
        struct iovec here = {text->bytes + came, size}, there = {(void *)(uintptr_t)from, size};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0) {
            return SLOW;
        }
        char *end = memchr(text->bytes + came, 0, (size_t)got);
        if (end != NULL) {
            text->length = (size_t)(end - text->bytes);
            return DONE;
        }
        came += (size_t)got;
    }
    return SLOW;
}

static bool is_special(const char *name, size_t length) {
    return length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

/* readlink(2), ended by a zero byte. */
static enum outcome read_link(const char *link, char target[PATH_MAX], size_t *length) {
    ssize_t got = readlink(link, target, PATH_MAX);
    if (got <= 0 || got >= PATH_MAX) {
        return SLOW;
    }
    target[got] = 0;
    *length = (size_t)got;
    return DONE;
}

/* The directory that relative paths start from, without a slash at its end. */
static enum outcome find_base(pid_t pid, uint32_t descriptor, char base[PATH_MAX], size_t *length) {
    char link[64];
    if (descriptor == HERE) {
        snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    } else {
        snprintf(link, sizeof link, "/proc/%d/fd/%u", pid, descriptor);
    }
    if (read_link(link, base, length) != DONE || base[0] != '/') {
        return SLOW;
    }
    size_t ending = sizeof deleted - 1;
    if (*length >= ending && memcmp(base + *length - ending, deleted, ending) == 0) {
        return SLOW;
    }
    if (*length == 1) {
        *length = 0;
    }
    return DONE;
}

/* Whether the kernel calls a directory by this very name: then no link, no dot and no double slash is on the way. */
static bool is_canonical(const char *folder, size_t length) {
    int handle = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) {
        return false;
    }
    char link[64], name[PATH_MAX];
    size_t found = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    bool same = read_link(link, name, &found) == DONE && found == length && memcmp(name, folder, length) == 0;
    close(handle);
    return same;
}

static enum outcome look(struct place *place) {
    if (lstat(place->path, &place->info) == 0) {
        place->there = true;
        return DONE;
    }
    place->there = false;
    return errno == ENOENT ? DONE : SLOW;
}

enum outcome find(pid_t pid, uint32_t descriptor, const struct text *given, bool follow, struct place *place) {
    const char *text = given->bytes, *slash = memrchr(text, '/', given->length);
    const char *name = slash == NULL ? text : slash + 1;
    size_t name_size = given->length - (size_t)(name - text);
    if (is_special(name, name_size)) {
        return SLOW;
    }
    size_t folder = 0;
    if (text[0] != '/') {
        if (find_base(pid, descriptor, place->path, &folder) != DONE) {
            return SLOW;
        }
    }
    if (slash != NULL && slash != text) {
        size_t head = (size_t)(slash - text);
        size_t joint = text[0] == '/' ? 0 : 1;
        if (folder + joint + head + 1 + name_size >= PATH_MAX) {
            return SLOW;
        }
        if (joint) {
            place->path[folder] = '/';
        }
        memcpy(place->path + folder + joint, text, head);
        folder += joint + head;
        place->path[folder] = 0;
        if (!is_canonical(place->path, folder)) {
            return SLOW;
        }
    }
    if (folder + 1 + name_size >= PATH_MAX) {
        return SLOW;
    }
    place->path[folder] = '/';
    memcpy(place->path + folder + 1, name, name_size);
    place->folder = folder;
    place->length = folder + 1 + name_size;
    place->path[place->length] = 0;
    if (look(place) != DONE) {
        return SLOW;
    }
    return follow && place->there && S_ISLNK(place->info.st_mode) ? SLOW : DONE;
}

enum outcome find_open(pid_t pid, uint32_t descriptor, struct place *place) {
    char link[64];
    struct stat open_on;
    snprintf(link, sizeof link, "/proc/%d/fd/%u", pid, descriptor);
    if (descriptor == HERE || read_link(link, place->path, &place->length) != DONE || place->path[0] != '/') {
        return SLOW;
    }
    if (stat(link, &open_on) != 0 || look(place) != DONE || !place->there) {
        return SLOW;
    }
    if (open_on.st_dev != place->info.st_dev || open_on.st_ino != place->info.st_ino) {
        return SLOW;
    }
    place->folder = (size_t)((char *)memrchr(place->path, '/', place->length) - place->path);
    return DONE;
}

bool is_device(const struct text *text) {
    static const char *const devices[] = {"/dev/null", "/dev/tty", "/dev/zero", "/dev/full"};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (strcmp(text->bytes, devices[i]) == 0) {
            return true;
        }
    }
    return false;
}
