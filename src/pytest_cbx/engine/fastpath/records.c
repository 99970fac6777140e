/* The journal's records as bytes, byte for byte as `transaction/records.py` and `transaction/meta.py` make them. */

#include "fastpath.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the journal is little-endian, and this copies numbers as they are"
#endif

enum { ABSENT = 2, CONTENT = 3, LINKED = 4, RENAMED = 6, META = 7, TIMES = 8 };
enum { BY_LINK = 0, IN_POOL = 3 };
#define HEAD 8
#define PREFIX (HEAD + 4)

static uint32_t table[256];

/* Of CRC-32 as zlib counts it: polynomial 0xEDB88320, reflected (RFC 1952, section 8). */
void start_records(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int bit = 0; bit < 8; bit++) {
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        }
        table[n] = c;
    }
}

static uint32_t checksum(uint32_t crc, const unsigned char *data, size_t size) {
    crc = ~crc;
    while (size--) {
        crc = table[(crc ^ *data++) & 0xFF] ^ (crc >> 8);
    }
    return ~crc;
}

static void put(struct batch *batch, const void *data, size_t size) {
    memcpy(batch->data + batch->length, data, size);
    batch->length += size;
}

static void put8(struct batch *batch, uint8_t value) {
    put(batch, &value, 1);
}

static void put16(struct batch *batch, uint16_t value) {
    put(batch, &value, 2);
}

static void put32(struct batch *batch, uint32_t value) {
    put(batch, &value, 4);
}

static void put64(struct batch *batch, uint64_t value) {
    put(batch, &value, 8);
}

static void put_text(struct batch *batch, const char *text, size_t length) {
    put16(batch, (uint16_t)length);
    put(batch, text, length);
}

static void put_meta(struct batch *batch, const struct stat *info, bool racy) {
    put32(batch, info->st_mode);
    put32(batch, info->st_uid);
    put32(batch, info->st_gid);
    put64(batch, info->st_rdev);
    put64(batch, info->st_dev);
    put64(batch, info->st_ino);
    put64(batch, (uint64_t)info->st_size);
    put64(batch, (uint64_t)nanoseconds(info->st_atim));
    put64(batch, (uint64_t)nanoseconds(info->st_mtim));
    put64(batch, (uint64_t)nanoseconds(info->st_ctim));
    put8(batch, racy);
    put16(batch, 0); /* no extended attributes: what has some takes the slow path */
}

static size_t begin(struct batch *batch) {
    size_t start = batch->length;
    batch->length += PREFIX;
    return start;
}

static void end(struct batch *batch, size_t start, uint8_t kind, uint16_t scope) {
    unsigned char *head = batch->data + start;
    uint32_t length = (uint32_t)(batch->length - start - PREFIX);
    uint8_t check = (length ^ length >> 8 ^ length >> 16 ^ length >> 24 ^ scope ^ scope >> 8 ^ kind ^ 0xA5) & 0xFF;
    memcpy(head, &length, 4);
    memcpy(head + 4, &scope, 2);
    head[6] = kind;
    head[7] = check;
    uint32_t crc = checksum(checksum(0, head, HEAD), head + PREFIX, length);
    memcpy(head + HEAD, &crc, 4);
}

void add_absent(struct batch *batch, uint16_t scope, const struct place *place) {
    size_t start = begin(batch);
    put(batch, place->path, place->length);
    end(batch, start, ABSENT, scope);
}

void add_times(struct batch *batch, uint16_t scope, const struct place *folder) {
    size_t start = begin(batch);
    put_text(batch, folder->path, folder->length);
    put64(batch, folder->info.st_dev);
    put64(batch, folder->info.st_ino);
    put64(batch, (uint64_t)nanoseconds(folder->info.st_atim));
    put64(batch, (uint64_t)nanoseconds(folder->info.st_mtim));
    end(batch, start, TIMES, scope);
}

void add_linked(struct batch *batch, uint16_t scope, const struct place *place, uint32_t kept, bool racy) {
    size_t start = begin(batch);
    put_text(batch, place->path, place->length);
    put_text(batch, "", 0);
    put32(batch, kept);
    put8(batch, BY_LINK);
    put_meta(batch, &place->info, racy);
    end(batch, start, LINKED, scope);
}

void add_pooled(struct batch *batch, uint16_t scope, const struct place *place, const struct copy *copy) {
    size_t start = begin(batch);
    put_text(batch, place->path, place->length);
    put32(batch, 0);
    put8(batch, IN_POOL);
    put64(batch, copy->offset);
    put32(batch, copy->size);
    put_meta(batch, &place->info, copy->racy);
    end(batch, start, CONTENT, scope);
}

void add_meta(struct batch *batch, uint16_t scope, const struct place *place, bool racy) {
    size_t start = begin(batch);
    put_text(batch, place->path, place->length);
    put_meta(batch, &place->info, racy);
    end(batch, start, META, scope);
}

void add_rename(struct batch *batch, uint16_t scope, const struct place *source, const struct place *target) {
    size_t start = begin(batch);
    put_text(batch, source->path, source->length);
    put_text(batch, target->path, target->length);
    put8(batch, 0); /* no exchange */
    put64(batch, source->info.st_dev);
    put64(batch, source->info.st_ino);
    put64(batch, target->there ? target->info.st_dev : 0);
    put64(batch, target->there ? target->info.st_ino : 0);
    end(batch, start, RENAMED, scope);
}
