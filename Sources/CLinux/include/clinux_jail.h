#ifndef FASTGATE_CLINUX_JAIL_H
#define FASTGATE_CLINUX_JAIL_H

#include <stddef.h>
#include <stdint.h>

// The jail of script workers: what a process gives up for good before it runs anything that others wrote, the proof
// that it has, and how it is started. Every call returns 0, or errno, if nothing else is said.

/// Writes the filter of system calls of one process (steps of `struct sock_filter`) into `bytes`. Returns its size in
/// bytes, or 0 when there is not enough room.
size_t clinux_jail_filter(void *bytes, size_t capacity, int pid, int may_have_threads);

/// Puts the filter upon every thread of this process.
int clinux_jail_seal(int may_have_threads);

/// Lets the calling thread, and threads that it makes, read beneath some paths and do nothing else with files, TCP and
/// other processes (Landlock). 0 also where the kernel has no such thing.
int clinux_jail_files(const char *const *readable, int count);

/// Stops being root, ends with the parent, and keeps its memory from other processes.
int clinux_jail_become_nobody(void);

/// No core files, no file that grows, few descriptors; `growth` bytes of writable memory more than now, 0 for no limit.
int clinux_jail_limits(uint64_t growth);

/// Tries what the jail is there to prevent, the reading of `paths` among it. Returns what could be done, NULL when nothing
/// could.
const char *clinux_jail_escape(const char *const *paths, int count);

/// Starts a program with one end of a channel as its standard input, and nothing else of ours. `words` and
/// `environment` end with NULL.
int clinux_spawn_worker(const char *const *words, const char *const *environment, int channel, int *pid);

/// Two ends of a channel that programs which we start do not inherit.
int clinux_socket_pair(int ends[2]);

/// What a process holds in memory by itself now, in bytes; -1 when that cannot be told.
int64_t clinux_private_bytes(int pid);

/// From some microseconds on the calling process, which must do its work in its first thread, works in short turns with
/// longer rests between them; 0 ends that.
///
/// To run last is not enough: a kernel that preempts lazily lets whoever runs go on to its next tick, milliseconds away,
/// while others wait. A timer's signal comes in time.
void clinux_ration(int64_t after, int64_t turn, int64_t rest);

#endif
