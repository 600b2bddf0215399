#ifndef FASTGATE_CNCURSES_H
#define FASTGATE_CNCURSES_H

// What Swift does not import of ncurses: macros, globals and the wide face. No logic here.
#define NCURSES_WIDECHAR 1
#include <ncurses.h>
#include <wchar.h>

static inline WINDOW *cncurses_stdscr(void) { return stdscr; }
static inline attr_t cncurses_bold(void) { return A_BOLD; }
static inline attr_t cncurses_dim(void) { return A_DIM; }
static inline attr_t cncurses_underline(void) { return A_UNDERLINE; }
static inline attr_t cncurses_reverse(void) { return A_REVERSE; }
static inline attr_t cncurses_italic(void) { return A_ITALIC; }
static inline int cncurses_colors(void) { return COLORS; }
static inline int cncurses_width(wchar_t character) { return wcwidth(character); }

/// One cell: a character, a combining mark or 0, attributes and a pair of any number.
static inline int cncurses_set_cell(cchar_t *cell, wchar_t character, wchar_t mark, attr_t attributes, int pair) {
    wchar_t text[3] = {character, mark, 0};
    return setcchar(cell, text, attributes, 0, &pair);
}

#endif
