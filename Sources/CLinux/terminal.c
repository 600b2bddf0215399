#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int clinux_memory_file(void) {
    return memfd_create("console", MFD_CLOEXEC);
}

int clinux_pipe(int ends[2]) {
    return pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : errno;
}

enum { RESTORE_LIMIT = 256 };

// What a handler of a deadly signal needs is laid out beforehand: it may neither allocate nor lock.
static struct {
    struct termios settings;
    unsigned char bytes[RESTORE_LIMIT];
    size_t length;
} restore;

static void give_back(int terminal) {
    if (restore.length == 0) {
        return;
    }
    // What the terminal has not taken yet would be shown after the way back.
    tcflush(terminal, TCOFLUSH);
    ssize_t written = write(terminal, restore.bytes, restore.length);
    (void)written;
    tcsetattr(terminal, TCSANOW, &restore.settings);
}

static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
enum { DEADLY_COUNT = sizeof deadly / sizeof *deadly };

static int remember(int terminal, const unsigned char *bytes, size_t length) {
    if (length > RESTORE_LIMIT || tcgetattr(terminal, &restore.settings) != 0) {
        return -1;
    }
    memcpy(restore.bytes, bytes, length);
    restore.length = length;
    return 0;
}

static void crash(int number) {
    give_back(STDOUT_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

int clinux_restore_terminal_at_crash(const unsigned char *bytes, size_t length) {
    if (remember(STDOUT_FILENO, bytes, length) != 0) {
        return errno;
    }
    for (size_t index = 0; index < DEADLY_COUNT; index++) {
        struct sigaction action = {.sa_handler = crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
        sigaction(deadly[index], &action, NULL);
    }
    return 0;
}

void clinux_forget_terminal(void) {
    restore.length = 0;
}

static pid_t supervised;

static void pass_on(int number) {
    kill(supervised, number);
}

static int drop_read_only(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        // What can be written holds what the loader has written, and would not come back from the file.
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_supervise_terminal(const unsigned char *bytes, size_t length) {
    if (remember(STDOUT_FILENO, bytes, length) != 0) {
        return;
    }
    pid_t parent = getpid();
    supervised = fork();
    if (supervised < 0) {
        return;
    }
    if (supervised == 0) {
        restore.length = 0;
        // The language's own handler would ask questions on the terminal before it lets the process end.
        for (size_t index = 0; index < DEADLY_COUNT; index++) {
            signal(deadly[index], SIG_DFL);
        }
        // Neither outlives the other: the child is told when the parent is gone, also if that was just now.
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            _exit(1);
        }
        return;
    }
    static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t index = 0; index < sizeof passed / sizeof *passed; index++) {
        struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
        sigaction(passed[index], &action, NULL);
    }
    // From here on it only waits: of the code that starting has read, it keeps the pages that it still runs.
    dl_iterate_phdr(drop_read_only, NULL);
    int status = 0;
    while (waitpid(supervised, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        give_back(STDOUT_FILENO);
        _exit(128 + WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

extern char **environ;

// The group that had the terminal before an editor was given it.
static pid_t group_before;

// Whoever gives the terminal away from the background would be stopped for it.
static int set_group(int terminal, pid_t group) {
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    int failure = tcsetpgrp(terminal, group) == 0 ? 0 : errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

int clinux_spawn_editor(const char *file, pid_t *process) {
    static const char command[] = "exec ${VISUAL:-${EDITOR:-editor}} \"$1\"";
    char *arguments[] = {"sh", "-c", (char *)command, "sh", (char *)file, NULL};
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0) {
        return errno;
    }
    group_before = tcgetpgrp(terminal);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // In the child, before it becomes the editor: a group of its own that has the terminal, so that Ctrl-C is the
    // editor's, and nothing of what is open here.
    posix_spawn_file_actions_addtcsetpgrp_np(&actions, terminal);
    for (int number = 0; number < 3; number++) {
        posix_spawn_file_actions_adddup2(&actions, terminal, number);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawn(process, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        set_group(terminal, group_before);
    }
    close(terminal);
    return failure;
}

void clinux_continue_on_terminal(pid_t process) {
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal >= 0) {
        set_group(terminal, process);
        close(terminal);
    }
    kill(-process, SIGCONT);
}

void clinux_take_terminal_back(void) {
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal >= 0) {
        set_group(terminal, group_before);
        close(terminal);
    }
}
