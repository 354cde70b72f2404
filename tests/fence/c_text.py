"""C source as text that rules can look at: comments and literals blanked, lines kept."""
import re

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)"""
    r"""|(?P<include>^[ \t]*\#[ \t]*include[^\n]*)"""
    r"""|(?P<literal>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.S | re.M | re.X,
)


def _spaces(text):
    return re.sub(r"[^\n]", " ", text)


def strip(text):
    """Blank comments and what is inside of literals; every line stays where it was."""

    def blank(match):
        if match.group("include"):
            return match.group("include")
        if match.group("comment"):
            return _spaces(match.group("comment"))
        literal = match.group("literal")
        return literal[0] + _spaces(literal[1:-1]) + literal[-1]

    return TOKEN.sub(blank, text)


def without_directives(code):
    """Blank preprocessor lines, continued ones included."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: _spaces(m.group(0)), code, flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Statement:
    """One declaration or definition at file scope. `text` has every {...} folded to {}."""

    def __init__(self, text, line, body_lines):
        self.text = text
        self.line = line  # of its first character
        self.body_lines = body_lines  # of a function: from its first line to the closing brace

    @property
    def is_function(self):
        return self.body_lines > 0


def file_scope(code):
    """Yield the statements at file scope of stripped code."""
    code = without_directives(code)
    # A linkage block for C++ is no scope of its own.
    code = re.sub(r'extern\s+" *"\s*\{', lambda m: _spaces(m.group(0)), code)
    text, start, depth, is_body = "", 0, 0, False
    for at, char in enumerate(code):
        if depth == 0 and not text.strip():
            text, start = "", at
        if char == "{":
            if depth == 0:
                is_body = bool(re.search(r"\)\s*$", text)) and "=" not in text
                text += "{}"
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and is_body:
                first = start + len(code[start:at]) - len(code[start:at].lstrip())
                yield Statement(text, line_of(code, first),
                                line_of(code, at) - line_of(code, first) + 1)
                text, is_body = "", False
        elif depth == 0 and char == ";":
            first = start + len(code[start:at]) - len(code[start:at].lstrip())
            yield Statement(text.strip(), line_of(code, first), 0)
            text = ""
        elif depth == 0:
            text += char


def parameters(head):
    """How many parameters the function with this head takes; `...` is none."""
    head = re.sub(r",\s*\.\.\.", "", head)
    end = head.rindex(")")
    depth, commas, empty = 0, 0, True
    for char in reversed(head[:end]):
        if char == ")":
            depth += 1
        elif char == "(":
            if depth == 0:
                break
            depth -= 1
        elif char == "," and depth == 0:
            commas += 1
        empty = empty and char.isspace()
    return 0 if empty else commas + 1


def function_name(head):
    names = re.findall(r"\b(\w+)\s*\(", head)
    names = [n for n in names if n not in ("__attribute__", "MOOT_PRINTF")]
    return names[0] if names else "?"
