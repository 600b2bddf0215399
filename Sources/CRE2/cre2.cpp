#include "cre2.h"

#include <cstdio>
#include <re2/re2.h>
#include <re2/set.h>
#include <string>
#include <vector>

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

struct cre2_set {
    re2::RE2::Set patterns;
    explicit cre2_set(const re2::RE2::Options &options) : patterns(options, re2::RE2::UNANCHORED) {}
};

extern "C" cre2_set *cre2_set_new(void) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(64 << 20);
    return new cre2_set(options);
}

extern "C" int cre2_set_add(cre2_set *set, const char *pattern, size_t length, bool is_literal, char *reason,
                            size_t reason_capacity) {
    std::string text(pattern, length);
    if (is_literal) {
        text = "(?i)" + re2::RE2::QuoteMeta(text);
    }
    std::string error;
    int index = set->patterns.Add(text, &error);
    if (index < 0) {
        std::snprintf(reason, reason_capacity, "%s", error.c_str());
    }
    return index;
}

extern "C" bool cre2_set_compile(cre2_set *set) {
    return set->patterns.Compile();
}

extern "C" int cre2_set_match(const cre2_set *set, const char *bytes, size_t length, int *found, size_t capacity) {
    std::vector<int> matches;
    re2::RE2::Set::ErrorInfo trouble;
    if (!set->patterns.Match(re2::StringPiece(bytes, length), &matches, &trouble)) {
        return trouble.kind == re2::RE2::Set::kNoError ? 0 : -1;
    }
    size_t count = matches.size() < capacity ? matches.size() : capacity;
    for (size_t index = 0; index < count; index++) {
        found[index] = matches[index];
    }
    return static_cast<int>(count);
}

extern "C" void cre2_set_free(cre2_set *set) {
    delete set;
}
