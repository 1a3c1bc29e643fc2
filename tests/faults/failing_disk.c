// Preloaded into a daemon: writes and syncs of files whose path holds FAILING_DISK_MATCH fail with the errno that the
// control file FAILING_DISK_CONTROL names ("ENOSPC" or "EIO"), for as long as it names one.
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

static int wanted_errno(int fd) {
  const char *match = getenv("FAILING_DISK_MATCH"), *control = getenv("FAILING_DISK_CONTROL");
  if (!match || !control) return 0;
  int saved = errno;
  char link[64], path[4096], word[16] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  int result = 0;
  if (size > 0) {
    path[size] = 0;
    if (strstr(path, match)) {
      int file = open(control, O_RDONLY | O_CLOEXEC);
      if (file >= 0) {
        ssize_t got = read(file, word, sizeof word - 1);
        close(file);
        if (got >= 6 && !strncmp(word, "ENOSPC", 6)) result = ENOSPC;
        else if (got >= 3 && !strncmp(word, "EIO", 3)) result = EIO;
      }
    }
  }
  errno = saved;
  return result;
}

#define GUARDED(type, name, parameters, arguments)                  \
  type name parameters {                                            \
    static type (*real) parameters;                                 \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);  \
    int failure = wanted_errno(fd);                                 \
    if (failure) { errno = failure; return -1; }                    \
    return real arguments;                                          \
  }

GUARDED(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
GUARDED(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
GUARDED(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
GUARDED(int, fsync, (int fd), (fd))
GUARDED(int, fdatasync, (int fd), (fd))
GUARDED(int, ftruncate, (int fd, off_t size), (fd, size))
GUARDED(int, ftruncate64, (int fd, off64_t size), (fd, size))
