#include "ini.h"

enum line_kind { LINE_OTHER, LINE_SECTION, LINE_SETTING };

struct line {
    enum line_kind kind;
    struct moot_view name, value; /* of a section: its name alone */
};

static size_t find_separator(struct moot_view line)
{
    size_t equals = moot__view_find(line, '=', 0), colon = moot__view_find(line, ':', 0);
    return equals < colon ? equals : colon;
}

static struct line read_line(struct moot_view text)
{
    struct line line = {.kind = LINE_OTHER};
    bool is_continued = text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t');
    text = moot__view_trim(text);
    if (is_continued || text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';')
        return line;
    if (text.ptr[0] == '[') {
        size_t end = moot__view_find(text, ']', 0);
        line.kind = LINE_SECTION;
        line.name = moot__view_trim(moot__view(text.ptr + 1, end - 1));
        return line;
    }
    size_t at = find_separator(text);
    if (at == text.len)
        return line;
    line.kind = LINE_SETTING;
    line.name = moot__view_trim(moot__view(text.ptr, at));
    line.value = moot__view_trim(moot__view(text.ptr + at + 1, text.len - at - 1));
    return line;
}

bool moot__ini_get(struct moot_view text, struct moot_view section, const char *key,
                   struct moot_view *value)
{
    struct moot_view rest = text, part;
    bool is_inside = false, is_found = false;
    while (moot__view_split(&rest, '\n', &part)) {
        struct line line = read_line(part);
        if (line.kind == LINE_SECTION) {
            is_inside = moot__view_eq(line.name, section);
        } else if (line.kind == LINE_SETTING && is_inside &&
                   moot__view_eq_nocase(line.name, moot__view_str(key))) {
            *value = line.value;
            is_found = true;
        }
    }
    return is_found;
}

bool moot__ini_has_section(struct moot_view text, struct moot_view section)
{
    struct moot_view rest = text, part;
    while (moot__view_split(&rest, '\n', &part)) {
        struct line line = read_line(part);
        if (line.kind == LINE_SECTION && moot__view_eq(line.name, section))
            return true;
    }
    return false;
}
