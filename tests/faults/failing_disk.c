// Preloaded into a daemon: writes and syncs of files whose path holds FAILING_DISK_MATCH fail for as long as the control
// file FAILING_DISK_CONTROL says so. It holds one word: "ENOSPC" or "EIO" (every write and sync fails with it),
// "EIO-SYNC" (writes work, syncs fail), or "STALL-SYNC" (a sync does not return while the word stands).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { WRITE, SYNC };

static int concerns(int fd) {
  const char *match = getenv("FAILING_DISK_MATCH");
  char link[64], path[4096];
  if (!match) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return strstr(path, match) != NULL;
}

static void read_word(char *word, size_t room) {
  const char *control = getenv("FAILING_DISK_CONTROL");
  memset(word, 0, room);
  int file = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  ssize_t got = read(file, word, room - 1);
  if (got < 0) got = 0;
  word[got] = 0;
  close(file);
}

static int wanted_errno(int fd, enum call call) {
  char word[16];
  int saved = errno, result = 0;
  if (concerns(fd)) {
    read_word(word, sizeof word);
    while (call == SYNC && !strcmp(word, "STALL-SYNC")) {
      usleep(5000);
      read_word(word, sizeof word);
    }
    if (!strcmp(word, "ENOSPC")) result = ENOSPC;
    else if (!strcmp(word, "EIO") || (call == SYNC && !strcmp(word, "EIO-SYNC"))) result = EIO;
  }
  errno = saved;
  return result;
}

#define GUARDED(kind, type, name, parameters, arguments)            \
  type name parameters {                                            \
    static type (*real) parameters;                                 \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);  \
    int failure = wanted_errno(fd, kind);                           \
    if (failure) { errno = failure; return -1; }                    \
    return real arguments;                                          \
  }

GUARDED(WRITE, ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
GUARDED(WRITE, ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
GUARDED(WRITE, ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
GUARDED(WRITE, ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
GUARDED(WRITE, ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
GUARDED(WRITE, ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
GUARDED(WRITE, int, ftruncate, (int fd, off_t size), (fd, size))
GUARDED(WRITE, int, ftruncate64, (int fd, off64_t size), (fd, size))
GUARDED(SYNC, int, fsync, (int fd), (fd))
GUARDED(SYNC, int, fdatasync, (int fd), (fd))

// These two return the error instead of setting errno.
int posix_fallocate(int fd, off_t at, off_t size) {
  static int (*real)(int, off_t, off_t);
  if (!real) real = (int (*)(int, off_t, off_t))dlsym(RTLD_NEXT, "posix_fallocate");
  int failure = wanted_errno(fd, WRITE);
  return failure ? failure : real(fd, at, size);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  static int (*real)(int, off64_t, off64_t);
  if (!real) real = (int (*)(int, off64_t, off64_t))dlsym(RTLD_NEXT, "posix_fallocate64");
  int failure = wanted_errno(fd, WRITE);
  return failure ? failure : real(fd, at, size);
}
