// SPDX-License-Identifier: Apache-2.0
// RE2 behind a C interface. Logging is off and no exception crosses the border.
#include "base/regex.h"

#include <re2/re2.h>

#include <string>

struct nu_regex {
    RE2 re;
    nu_regex(re2::StringPiece pattern, const RE2::Options &options) : re(pattern, options)
    {
    }
};

static re2::StringPiece piece(nu_str s)
{
    return re2::StringPiece(s.ptr ? s.ptr : "", s.len);
}

static void add(nu_strbuf *out, const std::string &text)
{
    if (out)
        nu_strbuf_add(out, nu_str{text.data(), text.size()});
}

static nu_regex *create(nu_str pattern, const RE2::Options &options, nu_strbuf *error)
{
    nu_regex *regex = new nu_regex(piece(pattern), options);
    if (regex->re.ok())
        return regex;
    add(error, regex->re.error());
    delete regex;
    return nullptr;
}

nu_regex *nu_regex_create(nu_str pattern, nu_strbuf *error)
{
    return create(pattern, RE2::Options(RE2::Quiet), error);
}

nu_regex *nu_regex_create_bounded(nu_str pattern, size_t bytes, nu_strbuf *error)
{
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(static_cast<int64_t>(bytes));
    return create(pattern, options, error);
}

void nu_regex_destroy(nu_regex **regex)
{
    delete *regex;
    *regex = nullptr;
}

int nu_regex_program_size(const nu_regex *regex)
{
    return regex->re.ProgramSize();
}

int nu_regex_group_count(const nu_regex *regex)
{
    return regex->re.NumberOfCapturingGroups();
}

bool nu_regex_full_match(const nu_regex *regex, nu_str text)
{
    return RE2::FullMatch(piece(text), regex->re);
}

bool nu_regex_search(const nu_regex *regex, nu_str text)
{
    return RE2::PartialMatch(piece(text), regex->re);
}

bool nu_regex_find(const nu_regex *regex, nu_str text, nu_str *groups, size_t count)
{
    constexpr size_t max = 16;
    re2::StringPiece found[max];
    int wanted = static_cast<int>(count < max ? count : max);
    int given = regex->re.NumberOfCapturingGroups() + 1;
    re2::StringPiece subject = piece(text);
    if (!regex->re.Match(subject, 0, subject.size(), RE2::UNANCHORED, found,
                         wanted < given ? wanted : given))
        return false;
    for (size_t i = 0; i < count; i++)
        groups[i] = i < max ? nu_str{found[i].data(), found[i].size()} : nu_str{nullptr, 0};
    return true;
}

bool nu_regex_check_rewrite(const nu_regex *regex, nu_str rewrite, nu_strbuf *error)
{
    std::string reason;
    if (regex->re.CheckRewriteString(piece(rewrite), &reason))
        return true;
    add(error, reason);
    return false;
}

int nu_regex_replace_all(const nu_regex *regex, nu_str text, nu_str rewrite, nu_strbuf *out)
{
    std::string result(text.ptr ? text.ptr : "", text.len);
    int count = RE2::GlobalReplace(&result, regex->re, piece(rewrite));
    add(out, result);
    return count;
}
