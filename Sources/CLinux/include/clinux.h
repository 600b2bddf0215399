#ifndef FASTGATE_CLINUX_H
#define FASTGATE_CLINUX_H

#include <stdint.h>
#include <sys/types.h>

#include "clinux_jail.h"

/// Keeps core files and other processes of the same user away from our memory. Returns 0, or errno.
int clinux_forbid_core_dumps(void);

/// Raises the limit of open files to the hard limit and returns the limit now in force.
uint64_t clinux_raise_open_files(void);

/// Makes the kernel's table of descriptors large at once. Growing it later stops every thread that opens or accepts for
/// 10 to 40 ms, at each doubling: with threads, the kernel waits until no processor uses the old one. `limit` is that of
/// open files. Returns 0, or errno.
int clinux_reserve_descriptors(uint64_t limit);

/// What a path names: 0 nothing, 1 a socket, 2 anything else.
int clinux_kind_of_path(const char *path);

/// Whether somebody listens at a Unix socket's path: 0, or why nobody could be reached; EAGAIN where too many wait.
int clinux_connect_to_path(const char *path);

/// Whether members of a group, and of no other, may enter a folder; 1 also when that cannot be told.
int clinux_group_can_enter(const char *folder, gid_t group);

/// Takes an exclusive advisory lock without waiting. Returns 0, or errno (EWOULDBLOCK when held).
int clinux_lock_file(int descriptor);

/// Lets every other thread go before the calling one where processors are short. Returns 0, or errno.
int clinux_lower_priority_of_this_thread(void);

/// Whether the calling thread runs only where a processor would else be idle. Returns 0, or errno: going back is
/// a privilege on many systems.
int clinux_set_idle_scheduling_of_this_thread(int is_idle);

/// The same for the first thread of a process.
int clinux_set_idle_scheduling_of_process(int pid, int is_idle);

/// The time of day in microseconds since 1970.
int64_t clinux_wall_clock_microseconds(void);

/// Microseconds since the machine was started, those of its sleep included; nobody can set this clock.
int64_t clinux_uptime_microseconds(void);

/// The size of an open file in bytes, or -1 with errno.
int64_t clinux_size_of_file(int descriptor);

/// The first place of a text in bytes, NULL when it is not there; sublinear, unlike a loop over the bytes.
const void *clinux_find(const void *bytes, size_t count, const void *text, size_t length);

/// Fetches the cache line of an address, to be written soon; whatever the address is, nothing is read.
static inline void clinux_fetch(const void *address) {
    __builtin_prefetch(address, 1, 3);
}

/// The longest text of an address, its end included.
enum { CLINUX_ADDRESS_LENGTH = 46 };

/// Looks up a host's addresses as the system does (/etc/hosts, DNS), most preferred first, and writes up to `capacity`
/// of them as text, each `CLINUX_ADDRESS_LENGTH` bytes long; blocks. Returns their number, or a negative EAI_ code.
int clinux_addresses_of(const char *host, char *texts, int capacity);

/// What a negative result of `clinux_addresses_of` says.
const char *clinux_lookup_error(int code);

/// A file that is only in memory, or -1.
int clinux_memory_file(void);

/// A pipe whose ends never wait. Returns 0, or errno.
int clinux_pipe(int ends[2]);

/// Keeps the terminal's settings and the bytes that bring it back, and uses both when a deadly signal ends the
/// process. Returns 0, or errno.
int clinux_restore_terminal_at_crash(const unsigned char *bytes, size_t length);

/// The terminal has been given back in an orderly way.
void clinux_forget_terminal(void);

/// Goes on in a child process, while this one waits for it and brings the terminal back if the child is killed.
/// Returns in the child only; or at once, when there is no terminal. To be called before any thread is made.
void clinux_supervise_terminal(const unsigned char *bytes, size_t length);

/// Publishes a record's length after its bytes, so that a reader never sees a half-written record.
static inline void clinux_store_release_u32(void *address, uint32_t value) {
    __atomic_store_n((uint32_t *)address, value, __ATOMIC_RELEASE);
}

/// Reads a length published by `clinux_store_release_u32`.
static inline uint32_t clinux_load_acquire_u32(const void *address) {
    return __atomic_load_n((const uint32_t *)address, __ATOMIC_ACQUIRE);
}

/// Starts `$VISUAL`, `$EDITOR` or `editor` on a file, in a group of its own that has the terminal. Returns 0, or errno.
int clinux_spawn_editor(const char *file, pid_t *process);

/// Gives the terminal to an editor that has stopped, and lets it go on.
void clinux_continue_on_terminal(pid_t process);

/// Gives the terminal back to the group that had it before the editor.
void clinux_take_terminal_back(void);

/// Opens a file in a folder that has no name there: it is gone once it is closed. -1 with errno where none can be made.
int clinux_open_unnamed(const char *folder);

#endif
