#include "cre2.h"

#include <cstdio>
#include <re2/re2.h>

struct cre2_regex {
    re2::RE2 expression;
    cre2_regex(re2::StringPiece pattern, const re2::RE2::Options &options) : expression(pattern, options) {}
};

extern "C" cre2_regex *cre2_compile(const char *pattern, size_t length, char *reason, size_t reason_capacity) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    auto *regex = new cre2_regex(re2::StringPiece(pattern, length), options);
    if (regex->expression.ok()) {
        return regex;
    }
    std::snprintf(reason, reason_capacity, "%s", regex->expression.error().c_str());
    delete regex;
    return nullptr;
}

extern "C" bool cre2_contains(const cre2_regex *regex, const char *bytes, size_t length) {
    return re2::RE2::PartialMatch(re2::StringPiece(bytes, length), regex->expression);
}

extern "C" void cre2_free(cre2_regex *regex) {
    delete regex;
}
