#define _GNU_SOURCE
#include "clinux_jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the jail knows no system calls of this architecture"
#endif

// MARK: Turns

static struct {
    // 0 when there are no turns: an alarm that was under way when they ended must not set the next one.
    volatile int64_t turn;
    int64_t rest;
} ration;

static void set_alarm(int64_t microseconds) {
    const struct itimerval timer = {.it_value = {microseconds / 1000000, microseconds % 1000000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void take_rest(int number) {
    (void)number;
    if (ration.turn == 0) {
        return;
    }
    int before = errno;
    const struct timespec rest = {0, ration.rest * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
    if (ration.turn > 0) {
        set_alarm(ration.turn);
    }
    errno = before;
}

void clinux_ration(int64_t after, int64_t turn, int64_t rest) {
    static int is_handled;
    if (!is_handled) {
        struct sigaction action = {.sa_handler = take_rest, .sa_flags = SA_RESTART};
        sigaction(SIGALRM, &action, NULL);
        is_handled = 1;
    }
    ration.rest = rest;
    ration.turn = after > 0 ? turn : 0;
    set_alarm(after);
}

// MARK: The filter of system calls

// What a worker needs once everything it will ever open is open. Those with conditions stand in `conditional`.
static const int allowed[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_ppoll, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk,
    SYS_futex, SYS_sched_yield, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep,
    SYS_gettimeofday, SYS_getrandom, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask,
    SYS_rt_sigaction, SYS_sigaltstack, SYS_restart_syscall, SYS_gettid, SYS_getpid, SYS_getppid, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid, SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_getrusage, SYS_times,
    SYS_sysinfo, SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_rt_sigtimedwait,
    // The garbage collector stops the thread whose stack it reads: refused, it would read what changes under it.
    SYS_rt_sigsuspend,
    // A worker paces itself.
    SYS_setitimer,
#if defined(__x86_64__)
    SYS_poll, SYS_time, SYS_arch_prctl,
#endif
};

enum { ALLOWED_COUNT = sizeof allowed / sizeof *allowed };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW(argument) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (argument))
#define LOAD_HIGH(argument) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (argument) + 4)
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define SKIP_IF(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (count), 0)
#define SKIP_IF_ANY_BIT(bits, count) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (count), 0)
#define SKIP_UNLESS_ANY_BIT(bits, count) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 0, (count))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(code) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))

struct program {
    struct sock_filter *steps;
    size_t capacity;
    size_t count;
};

static void add(struct program *program, const struct sock_filter *steps, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (program->count < program->capacity) {
            program->steps[program->count] = steps[i];
        }
        program->count++;
    }
}

#define ADD(program, ...) do { \
    const struct sock_filter steps[] = {__VA_ARGS__}; \
    add((program), steps, sizeof steps / sizeof *steps); \
} while (0)

size_t clinux_jail_filter(void *bytes, size_t capacity, int pid, int may_have_threads) {
    struct program program = {bytes, capacity / sizeof(struct sock_filter), 0};
    ADD(&program,
        LOAD(arch), SKIP_IF(OUR_ARCHITECTURE, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        LOAD(nr));
#if defined(__x86_64__)
    // The numbers of the x32 ABI begin here.
    ADD(&program, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), REFUSE(ENOSYS));
#endif
    for (int i = 0; i < ALLOWED_COUNT; i++) {
        ADD(&program, SKIP_UNLESS((unsigned)allowed[i], 1), ALLOW);
    }
    // No memory that can be run is made, whatever is written into it.
    ADD(&program, SKIP_UNLESS(SYS_mmap, 4), LOAD_LOW(2), SKIP_IF_ANY_BIT(PROT_EXEC, 1), ALLOW, REFUSE(EPERM));
    ADD(&program, SKIP_UNLESS(SYS_mprotect, 4), LOAD_LOW(2), SKIP_IF_ANY_BIT(PROT_EXEC, 1), ALLOW, REFUSE(EPERM));
    // Names of threads and of memory, nothing that changes what the process may do.
    ADD(&program, SKIP_UNLESS(SYS_prctl, 5), LOAD_LOW(0), SKIP_IF(PR_SET_NAME, 1), SKIP_UNLESS(0x53564d41, 1),
        ALLOW, REFUSE(EPERM));
    // Limits may be read, of itself, and not set.
    ADD(&program, SKIP_UNLESS(SYS_prlimit64, 9), LOAD_LOW(0), SKIP_IF(0, 1), SKIP_UNLESS((unsigned)pid, 5),
        LOAD_LOW(2), SKIP_UNLESS(0, 3), LOAD_HIGH(2), SKIP_UNLESS(0, 1), ALLOW, REFUSE(EPERM));
    if (may_have_threads) {
        // A thread shares everything with us; a process would be one that nobody watches.
        ADD(&program, SKIP_UNLESS(SYS_clone, 4), LOAD_LOW(0), SKIP_UNLESS_ANY_BIT(CLONE_THREAD, 1), ALLOW,
            REFUSE(EPERM));
        // Its flags lie in memory, where no filter sees them; with this answer the C library falls back to clone.
        ADD(&program, SKIP_UNLESS(SYS_clone3, 1), REFUSE(ENOSYS));
        // The garbage collector stops the threads of its own process by a signal.
        ADD(&program, SKIP_UNLESS(SYS_tgkill, 4), LOAD_LOW(0), SKIP_UNLESS((unsigned)pid, 1), ALLOW, REFUSE(EPERM));
    }
    ADD(&program, REFUSE(EPERM));
    return program.count <= program.capacity ? program.count * sizeof(struct sock_filter) : 0;
}

int clinux_jail_seal(int may_have_threads) {
    struct sock_filter steps[256];
    size_t size = clinux_jail_filter(steps, sizeof steps, getpid(), may_have_threads);
    if (size == 0) {
        return E2BIG;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    struct sock_fprog program = {(unsigned short)(size / sizeof *steps), steps};
    // Every thread that there is already is bound by it, too.
    // A number above 0 is that of a thread which could not be bound.
    long code = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return code == 0 ? 0 : code > 0 ? EBUSY : errno;
}

// MARK: Files, identity, limits

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446, READ_FILE = 4, READ_FOLDER = 8 };

int clinux_jail_files(const char *const *readable, int count) {
    long version = syscall(LANDLOCK_CREATE, NULL, 0, 1);
    if (version < 0) {
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : errno;
    }
    // Rights of files were added one by one: thirteen at first, then refer, truncate and ioctl.
    int rights = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
    // Rights of files, of TCP, and what other processes may be reached.
    uint64_t rules[3] = {(1u << rights) - 1, version >= 4 ? 3 : 0, version >= 6 ? 3 : 0};
    size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int ruleset = (int)syscall(LANDLOCK_CREATE, rules, size, 0);
    if (ruleset < 0) {
        return errno;
    }
    for (int i = 0; i < count; i++) {
        struct __attribute__((packed)) { uint64_t rights; int32_t folder; } beneath = {READ_FILE | READ_FOLDER, -1};
        beneath.folder = open(readable[i], O_PATH | O_CLOEXEC);
        if (beneath.folder < 0) {
            continue;
        }
        // Of a file only what files have.
        if (syscall(LANDLOCK_ADD, ruleset, 1, &beneath, 0) != 0) {
            beneath.rights = READ_FILE;
            (void)syscall(LANDLOCK_ADD, ruleset, 1, &beneath, 0);
        }
        close(beneath.folder);
    }
    int code = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(LANDLOCK_RESTRICT, ruleset, 0) != 0 ? errno : 0;
    close(ruleset);
    return code;
}

enum { NOBODY = 65534 };

int clinux_jail_become_nobody(void) {
    if (geteuid() == 0) {
        // In a container whose root is the only user there is nobody else to become; the filter holds all the same.
        if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0
            && setresuid(NOBODY, NOBODY, NOBODY) != 0) {
            return errno;
        }
    }
    // A change of user takes this away, so it comes after.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return errno;
    }
    return 0;
}

// Writable memory that is mapped, used or not, in bytes; 0 when that cannot be told.
static uint64_t mapped_data(void) {
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    unsigned long long pages = 0;
    text[length < 0 ? 0 : length] = 0;
    return sscanf(text, "%*u %*u %*u %*u %*u %llu", &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

int clinux_jail_limits(uint64_t growth) {
    const struct rlimit none = {0, 0};
    const struct rlimit files = {16, 16};
    const struct rlimit data = {mapped_data() + growth, mapped_data() + growth};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0
        || setrlimit(RLIMIT_NOFILE, &files) != 0 || setrlimit(RLIMIT_MEMLOCK, &none) != 0) {
        return errno;
    }
    return growth == 0 || setrlimit(RLIMIT_DATA, &data) == 0 ? 0 : errno;
}

// MARK: The proof

static int opens(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
    }
    return file >= 0;
}

static int makes_socket(int family, int kind) {
    int end = socket(family, kind, 0);
    if (end >= 0) {
        close(end);
    }
    return end >= 0;
}

static int forks(void) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        _exit(0);
    }
    return child > 0;
}

static int maps_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        munmap(page, 4096);
        return 1;
    }
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return 0;
    }
    int became = mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
    munmap(page, 4096);
    return became;
}

static int raises_limit(void) {
    struct rlimit files = {1024, 1024};
    return setrlimit(RLIMIT_NOFILE, &files) == 0 || syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &files) == 0;
}

const char *clinux_jail_escape(const char *const *paths, int count) {
    int parent = getppid();
    char text[64];
    for (int i = 0; i < count; i++) {
        if (opens(paths[i], O_RDONLY)) {
            return paths[i];
        }
    }
    static const char *const secrets[] = {"mem", "environ", "maps", "fd"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        snprintf(text, sizeof text, "/proc/%d/%s", parent, secrets[i]);
        if (opens(text, O_RDONLY)) {
            return secrets[i];
        }
    }
    if (opens("/etc/passwd", O_RDONLY)) return "open a file";
    if (opens("/tmp/fastgate-jail", O_WRONLY | O_CREAT)) return "write a file";
    if (makes_socket(AF_INET, SOCK_STREAM) || makes_socket(AF_INET6, SOCK_STREAM)) return "open a TCP socket";
    if (makes_socket(AF_INET, SOCK_DGRAM)) return "open a UDP socket";
    if (makes_socket(AF_UNIX, SOCK_STREAM)) return "open a Unix socket";
    if (forks()) return "start a process";
    if (kill(parent, 0) == 0) return "signal the gateway";
    if (raises_limit()) return "raise its limits";
    if (maps_code()) return "map memory that can be run";
    if (syscall(SYS_memfd_create, "", 0) >= 0) return "make a file in memory";
    if (syscall(SYS_ptrace, 0, 0, 0, 0) == 0) return "trace";
    if (syscall(SYS_unshare, 0x10000000) == 0) return "make a namespace";
    if (syscall(SYS_userfaultfd, 0) >= 0) return "handle page faults";
    // io_uring_setup and pidfd_open have one number everywhere.
    if (syscall(425, 1, text) >= 0 || errno == EFAULT) return "use io_uring";
    if (syscall(434, parent, 0) >= 0) return "hold the gateway";
    static char *const nothing[] = {NULL};
    (void)execve("/bin/true", nothing, nothing);
    return NULL;
}

// MARK: Starting a worker

int clinux_spawn_worker(const char *const *words, const char *const *environment, int channel, int *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t manner;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&manner);
    posix_spawn_file_actions_adddup2(&files, channel, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setsigdefault(&manner, &all);
    posix_spawnattr_setsigmask(&manner, &none);
    posix_spawnattr_setflags(&manner, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    pid_t child = 0;
    int code = posix_spawn(&child, words[0], &files, &manner, (char *const *)words, (char *const *)environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&manner);
    *pid = child;
    return code;
}

int clinux_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

int64_t clinux_private_bytes(int pid) {
    char text[64];
    snprintf(text, sizeof text, "/proc/%d/statm", pid);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    long long size, resident, shared;
    if (length <= 0) {
        return -1;
    }
    text[length] = 0;
    // Pages of programs and libraries are everybody's.
    return sscanf(text, "%lld %lld %lld", &size, &resident, &shared) == 3
        ? (resident - shared) * sysconf(_SC_PAGESIZE) : -1;
}
