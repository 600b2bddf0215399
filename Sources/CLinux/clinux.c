#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int clinux_forbid_core_dumps(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return errno;
    }
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

uint64_t clinux_raise_open_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 0;
    }
    if (files.rlim_cur < files.rlim_max) {
        struct rlimit raised = {files.rlim_max, files.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            files = raised;
        }
    }
    return files.rlim_cur;
}

int clinux_reserve_descriptors(uint64_t limit) {
    const uint64_t wanted = 65536;
    int highest = (int)((limit < wanted ? limit : wanted) - 1);
    // The kernel's table grows to hold the number that is asked for, and never shrinks.
    int any = open("/", O_PATH | O_CLOEXEC);
    if (any < 0) {
        return errno;
    }
    int copy = fcntl(any, F_DUPFD_CLOEXEC, highest);
    int result = copy < 0 ? errno : 0;
    if (copy >= 0) {
        close(copy);
    }
    close(any);
    return result;
}

int clinux_kind_of_path(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return 0;
    }
    return S_ISSOCK(status.st_mode) ? 1 : 2;
}

int clinux_connect_to_path(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
        return errno;
    }
    int code = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(descriptor);
    return code;
}

int clinux_group_can_enter(const char *folder, gid_t group) {
    struct stat status;
    if (stat(folder, &status) != 0) {
        return 1;
    }
    return (status.st_mode & S_IXOTH) != 0 || (status.st_gid == group && (status.st_mode & S_IXGRP) != 0);
}

int clinux_lock_file(int descriptor) {
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

int clinux_lower_priority_of_this_thread(void) {
    // On Linux a nice value belongs to a thread, and "who" 0 is the calling one.
    return setpriority(PRIO_PROCESS, 0, 15) == 0 ? 0 : errno;
}

int clinux_set_idle_scheduling_of_this_thread(int is_idle) {
    return clinux_set_idle_scheduling_of_process(0, is_idle);
}

int clinux_set_idle_scheduling_of_process(int pid, int is_idle) {
    struct sched_param none = {0};
    return sched_setscheduler(pid, is_idle ? SCHED_IDLE : SCHED_OTHER, &none) == 0 ? 0 : errno;
}

int64_t clinux_wall_clock_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clinux_uptime_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clinux_size_of_file(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_size : -1;
}

// Blocks in which two of the text's bytes stand as far apart as in the text are few, and looking for them is a handful of
// vector instructions. Where many were in vain the library's search goes on, linear in whatever it is given. The outermost
// bytes of a longer text are not the two: those of a name in JSON are quotes.
const void *clinux_find(const void *bytes, size_t count, const void *text, size_t length) {
    enum { BLOCK = 32, PATIENCE = 32 };
    const unsigned char *place = bytes, *wanted = text;
    if (length < 2 || count < length - 1 + BLOCK) {
        return memmem(bytes, count, text, length);
    }
    const size_t left = length > 4, right = length - 1 - left;
    const unsigned char first = wanted[left], last = wanted[right];
    const unsigned char *end = place + count - (length - 1);
    int vain = 0;
    while (place < end && vain < PATIENCE) {
        if (end - place < BLOCK) {
            place = end - BLOCK;
        }
        unsigned char found = 0;
        for (int index = 0; index < BLOCK; index++) {
            found |= (unsigned char)((place[index + left] == first) & (place[index + right] == last));
        }
        if (found) {
            for (int index = 0; index < BLOCK; index++) {
                if (place[index + left] == first && place[index + right] == last
                    && memcmp(place + index, text, length) == 0) {
                    return place + index;
                }
            }
            vain++;
        }
        place += BLOCK;
    }
    return place < end ? memmem(place, (size_t)(end - place) + length - 1, text, length) : NULL;
}

int clinux_addresses_of(const char *host, char *texts, int capacity) {
    struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, NULL, &wanted, &found);
    if (code != 0) {
        return code < 0 ? code : -code;
    }
    int count = 0;
    for (struct addrinfo *each = found; each != NULL && count < capacity; each = each->ai_next) {
        const void *address = each->ai_family == AF_INET
            ? (const void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr
            : (const void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr;
        if (inet_ntop(each->ai_family, address, texts + count * CLINUX_ADDRESS_LENGTH, CLINUX_ADDRESS_LENGTH) != NULL) {
            count++;
        }
    }
    freeaddrinfo(found);
    return count;
}

const char *clinux_lookup_error(int code) {
    return gai_strerror(code);
}

int clinux_open_unnamed(const char *folder) {
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}
