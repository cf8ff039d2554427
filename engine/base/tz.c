/* SPDX-License-Identifier: Apache-2.0 */
/* Many names are links to one file, so files are told apart by device and inode, and read once. The folders "posix" and
 * "right" hold the same zones again, the latter with leap seconds; other names that are left out are no places. */
#include "engine/base/tz.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    dev_t device;
    ino_t inode;
    const struct tz_zone *zone; /* NULL: not a zone */
};

struct tz_zones {
    struct arena arena;
    struct tz_named *named;
    size_t count;
};

struct loading {
    struct tz_zones *zones;
    struct file *files;
    size_t file_count;
    unsigned char *bytes;       /* of a file, TZIF_MAX_BYTES + 1 */
    char name[TZ_NAME_MAX + 1]; /* of the folder under way, with "/" at its end */
};

static const struct tz_type utc_type = { .offset_s = 0, .abbreviation = "UTC" };
static const struct tz_zone utc_zone = { .types = &utc_type, .type_count = 1 };

/* --- names --- */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_name_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+';
}

bool tz_name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > TZ_NAME_MAX || !is_letter(name[0]) || name[len - 1] == '/')
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!is_name_byte(name[i]) && (name[i] != '/' || name[i - 1] == '/'))
            return false;
    }
    return true;
}

static bool is_left_out(const char *name)
{
    static const char *const names[] = { "Factory", "localtime", "posix", "posixrules", "right" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* --- files --- */

/* Returns the number of bytes, or 0 if it cannot be read or is too long. */
static size_t read_file(int folder, const char *name, unsigned char *bytes)
{
    size_t len = 0;
    ssize_t n = 0;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while (len <= TZIF_MAX_BYTES && (n = read(fd, bytes + len, TZIF_MAX_BYTES + 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    return n == 0 ? len : 0;
}

static const struct tz_zone *read_zone(struct loading *l, int folder, const char *name)
{
    struct tz_zone *zone = arena_alloc(&l->zones->arena, sizeof(*zone));
    size_t len = read_file(folder, name, l->bytes);
    return zone && len > 0 && tzif_parse(zone, l->bytes, len, &l->zones->arena) ? zone : NULL;
}

/* The zone in a file, if it was not read before under another name. */
static const struct tz_zone *zone_of_file(struct loading *l, int folder, const char *name, const struct stat *st)
{
    for (size_t i = 0; i < l->file_count; i++) {
        if (l->files[i].inode == st->st_ino && l->files[i].device == st->st_dev)
            return l->files[i].zone;
    }
    if (l->file_count == TZ_ZONES_MAX)
        return NULL;
    const struct tz_zone *zone = read_zone(l, folder, name);
    l->files[l->file_count++] = (struct file) { .device = st->st_dev, .inode = st->st_ino, .zone = zone };
    return zone;
}

static void add_zone(struct tz_zones *zones, const char *name, const struct tz_zone *zone)
{
    char *copy = arena_strndup(&zones->arena, name, strlen(name));
    if (copy && zones->count < TZ_ZONES_MAX)
        zones->named[zones->count++] = (struct tz_named) { .name = copy, .zone = zone };
}

static void load_folder(struct loading *l, int folder, size_t name_len, int depth);

static void load_entry(struct loading *l, int folder, const char *entry, size_t name_len, int depth)
{
    struct stat st;
    size_t len = strlen(entry);
    if (name_len + len > TZ_NAME_MAX - 1)
        return;
    memcpy(l->name + name_len, entry, len + 1);
    if (!tz_name_is_valid(l->name, name_len + len) || is_left_out(l->name) ||
        fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    bool is_link = S_ISLNK(st.st_mode); /* to a file; folders are not followed, they might lead back */
    if (is_link && fstatat(folder, entry, &st, 0) < 0)
        return;
    if (S_ISDIR(st.st_mode) && !is_link && depth < TZ_FOLDER_DEPTH) {
        memcpy(l->name + name_len + len, "/", 2);
        load_folder(l, openat(folder, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC), name_len + len + 1, depth + 1);
    } else if (S_ISREG(st.st_mode)) {
        const struct tz_zone *zone = zone_of_file(l, folder, entry, &st);
        if (zone)
            add_zone(l->zones, l->name, zone);
    }
}

/* Takes the descriptor, which may be -1. */
static void load_folder(struct loading *l, int folder, size_t name_len, int depth)
{
    DIR *dir = folder < 0 ? NULL : fdopendir(folder);
    if (!dir) {
        if (folder >= 0)
            close(folder);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        load_entry(l, dirfd(dir), entry->d_name, name_len, depth);
    closedir(dir);
}

/* --- life --- */

static int compare_names(const void *x, const void *y)
{
    const struct tz_named *a = x, *b = y;
    return strcmp(a->name, b->name);
}

struct tz_zones *tz_zones_load(const char *folder)
{
    struct loading l = { .zones = calloc(1, sizeof(*l.zones)) };
    if (!l.zones)
        return NULL;
    arena_init(&l.zones->arena, TZ_MEMORY_BYTES);
    l.zones->named = arena_array(&l.zones->arena, TZ_ZONES_MAX, sizeof(*l.zones->named));
    l.files = calloc(TZ_ZONES_MAX, sizeof(*l.files));
    l.bytes = malloc(TZIF_MAX_BYTES + 1);
    if (l.zones->named && l.files && l.bytes) {
        load_folder(&l, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, 1);
        qsort(l.zones->named, l.zones->count, sizeof(*l.zones->named), compare_names);
        if (!tz_zones_find(l.zones, "UTC", 3)) {
            add_zone(l.zones, "UTC", &utc_zone);
            qsort(l.zones->named, l.zones->count, sizeof(*l.zones->named), compare_names);
        }
    }
    free(l.files);
    free(l.bytes);
    if (!tz_zones_find(l.zones, "UTC", 3)) {
        tz_zones_free(l.zones);
        return NULL;
    }
    return l.zones;
}

void tz_zones_free(struct tz_zones *zones)
{
    if (!zones)
        return;
    arena_clear(&zones->arena);
    free(zones);
}

static pthread_once_t system_once = PTHREAD_ONCE_INIT;
static struct tz_zones *system_zones;

static void load_system(void)
{
    system_zones = tz_zones_load(TZ_FOLDER);
}

const struct tz_zones *tz_zones_system(void)
{
    pthread_once(&system_once, load_system);
    return system_zones;
}

/* --- looking up --- */

const struct tz_named *tz_zones_all(const struct tz_zones *zones, size_t *count)
{
    *count = zones->count;
    return zones->named;
}

static int compare_text(const char *text, size_t len, const char *name)
{
    int order = strncmp(text, name, len);
    return order != 0 ? order : name[len] ? -1 : 0;
}

/* How many names come before the text in the order, or are the text. */
static size_t count_up_to(const struct tz_zones *zones, const char *text, size_t len)
{
    size_t low = 0, high = zones->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_text(text, len, zones->named[middle].name) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct tz_named *tz_zones_find(const struct tz_zones *zones, const char *name, size_t len)
{
    if (!tz_name_is_valid(name, len))
        return NULL;
    size_t n = count_up_to(zones, name, len);
    return n > 0 && compare_text(name, len, zones->named[n - 1].name) == 0 ? &zones->named[n - 1] : NULL;
}

/* The last name that is not after the text begins as the text does, as far as any name does that the text begins with. So what
 * they have in common is the next text to look for. */
const struct tz_named *tz_zones_longest(const struct tz_zones *zones, const char *text, size_t len)
{
    size_t left = 0;
    while (left < len && left < TZ_NAME_MAX && (is_name_byte(text[left]) || text[left] == '/'))
        left++;
    while (left > 0) {
        size_t n = count_up_to(zones, text, left), common = 0;
        if (n == 0)
            return NULL;
        const char *name = zones->named[n - 1].name;
        while (common < left && name[common] == text[common])
            common++;
        if (!name[common])
            return &zones->named[n - 1];
        left = common;
    }
    return NULL;
}
