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

#ifdef __cplusplus
}
#endif

#endif
