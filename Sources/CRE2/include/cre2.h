#ifndef FASTGATE_CRE2_H
#define FASTGATE_CRE2_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled regular expression that matches in time linear in its input.
typedef struct cre2_regex cre2_regex;

/// Compiles a pattern within a memory limit. On failure returns NULL and writes why into `reason`.
cre2_regex *cre2_compile(const char *pattern, size_t length, char *reason, size_t reason_capacity);

/// Whether the pattern occurs anywhere in the bytes.
bool cre2_contains(const cre2_regex *regex, const char *bytes, size_t length);

void cre2_free(cre2_regex *regex);

/// Many patterns that are looked for in one pass over the bytes.
typedef struct cre2_set cre2_set;

cre2_set *cre2_set_new(void);

/// Adds a pattern, or a text that is looked for whatever its case, and returns its number; on failure returns -1 and
/// writes why into `reason`.
int cre2_set_add(cre2_set *set, const char *pattern, size_t length, bool is_literal, char *reason,
                 size_t reason_capacity);

/// After the last pattern and before the first match; false when they need too much memory together.
bool cre2_set_compile(cre2_set *set);

/// Writes the numbers of the patterns that occur into `found` and returns how many; -1 when it ran out of memory.
int cre2_set_match(const cre2_set *set, const char *bytes, size_t length, int *found, size_t capacity);

void cre2_set_free(cre2_set *set);

#ifdef __cplusplus
}
#endif

#endif
