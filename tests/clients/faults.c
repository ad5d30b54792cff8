/* Loaded before libc (LD_PRELOAD): has the n-th operation on files below a folder be the process's last, or fail.
 *
 * FAULTS names a file of six 64-bit numbers that the test shares with the process, and FAULTS_BELOW the folder:
 * mode, operations so far, the one that is meant, a mask of kinds, and how many came to pass. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, DIE, TEAR, FULL };                            /* modes */
enum { WRITE = 1, MAKE = 2, MOVE = 4, REMOVE = 8, SYNC = 16 }; /* kinds */

struct shared { int64_t mode, count, at, kinds, met; };
static struct shared *shared;
static const char *below;
static size_t below_len;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS");
    below = getenv("FAULTS_BELOW");
    if (!path || !below) return;
    below_len = strlen(below);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) shared = found;
    close(fd);
}

static int is_meant(const char *path) {
    return path && strncmp(path, below, below_len) == 0;
}

static int is_meant_fd(int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(name, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    return is_meant(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What is to become of an operation: OFF, or the mode. */
static int fate(int kind, int meant) {
    if (!shared || !meant) return OFF;
    int64_t mode = __atomic_load_n(&shared->mode, __ATOMIC_SEQ_CST);
    if (mode == OFF || !(shared->kinds & kind)) return OFF;
    int64_t number = __atomic_fetch_add(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (mode == FULL ? number < shared->at : number != shared->at) return OFF;
    __atomic_fetch_add(&shared->met, 1, __ATOMIC_SEQ_CST);
    if (mode == DIE || (mode == TEAR && kind != WRITE)) die();
    return mode;
}

#define REAL(name) static typeof(&name) real; if (!real) real = (typeof(&name))dlsym(RTLD_NEXT, #name)
#define FAIL_IF_FULL(kind, meant) if (shared && fate(kind, meant) == FULL) { errno = ENOSPC; return -1; }

ssize_t write(int fd, const void *bytes, size_t len) {
    REAL(write);
    switch (shared ? fate(WRITE, is_meant_fd(fd)) : OFF) {
    case TEAR: real(fd, bytes, len / 2); die();
    case FULL: errno = ENOSPC; return -1;
    }
    return real(fd, bytes, len);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    REAL(pwrite64);
    switch (shared ? fate(WRITE, is_meant_fd(fd)) : OFF) {
    case TEAR: real(fd, bytes, len / 2, at); die();
    case FULL: errno = ENOSPC; return -1;
    }
    return real(fd, bytes, len, at);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    switch (shared ? fate(WRITE, is_meant_fd(fd)) : OFF) {
    case TEAR: real(fd, pieces, count / 2); die();
    case FULL: errno = ENOSPC; return -1;
    }
    return real(fd, pieces, count);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (flags & O_CREAT && access(path, F_OK) != 0) { FAIL_IF_FULL(MAKE, is_meant(path)) }
    return real(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    FAIL_IF_FULL(MAKE, is_meant(path))
    return real(path, mode);
}

int ftruncate64(int fd, off64_t len) {
    REAL(ftruncate64);
    FAIL_IF_FULL(WRITE, is_meant_fd(fd))
    return real(fd, len);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    FAIL_IF_FULL(MOVE, is_meant(to))
    return real(from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    REAL(linkat);
    FAIL_IF_FULL(MOVE, is_meant(to))
    return real(from_dir, from, to_dir, to, flags);
}

/* Removing needs no room. */
int unlink(const char *path) {
    REAL(unlink);
    fate(REMOVE, shared && is_meant(path));
    return real(path);
}

int fsync(int fd) {
    REAL(fsync);
    FAIL_IF_FULL(SYNC, is_meant_fd(fd))
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    FAIL_IF_FULL(SYNC, is_meant_fd(fd))
    return real(fd);
}

int sync_file_range(int fd, off64_t from, off64_t len, unsigned flags) {
    REAL(sync_file_range);
    FAIL_IF_FULL(SYNC, is_meant_fd(fd))
    return real(fd, from, len, flags);
}
