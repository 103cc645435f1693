"""Finds the mutants of a C++ source, and weaves them all into it.

It relies on the form that clang-format gives the code: a comparison has spaces on both sides, the
bracket of a template has not.
"""

import bisect
import dataclasses
import os
import re

TOKEN = re.compile(r"""
    (?P<comment> //[^\n]* | /\*.*?\*/)
  | (?P<directive> (?<![^\n])[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<string> R"(?P<delimiter>[^()\s]*)\(.*?\)(?P=delimiter)" | "(?:\\.|[^"\\])*")
  | (?P<char> '(?:\\.|[^'\\])+')
  | (?P<number> (?:0x[0-9a-fA-F']+ | \d[\d']*(?:\.\d*)?(?:e[+-]?\d+)?)[uUlLfF]*)
  | (?P<word> [A-Za-z_]\w*)
  | (?P<sign> <<=|<=>|->\*|\.\.\.|::|->|\+\+|--|[-+*/%&|^]=|&&|\|\||==|!=|<=|>=|<<|.)
""", re.VERBOSE | re.DOTALL)

COMPARISONS = {
    "<": ("Less", "<", ">", "<="),
    "<=": ("LessEqual", "<", ">", "<"),
    ">": ("Greater", "<", ">", ">="),
    ">=": ("GreaterEqual", "<", ">", ">"),
    "==": ("Equal", "==", "==", "!="),
    "!=": ("NotEqual", "==", "==", "=="),
}
MUTANTS_PER_SOURCE = 1000
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<="}
NO_EXPRESSION = {
    "auto", "case", "catch", "class", "const", "constexpr", "default", "delete", "do", "else",
    "enum", "explicit", "for", "friend", "goto", "if", "inline", "namespace", "private",
    "protected", "public", "static", "static_assert", "struct", "switch", "template", "throw",
    "try", "typedef", "typename", "union", "using", "while", "return", "break", "continue"}
TYPE_PARTS = {"unsigned", "signed", "long", "short", "int", "char", "bool", "float", "double",
              "void"}


@dataclasses.dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclasses.dataclass
class Mutant:
    path: str
    line: int  # from 1
    key: str  # what it changes, in words; the same while the line stays the same
    number: int = 0


def tokenize(text):
    tokens = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "delimiter" else "string"
        if kind in ("comment", "directive") or match.group().isspace():
            continue
        tokens.append(Token(kind, match.group(), match.start(), match.end()))
    return tokens


class Source:
    """A source with its mutants."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.tokens = tokenize(text)
        self.mutants = []
        self._line_starts = [0] + [m.end() for m in re.finditer("\n", text)]
        self._edits = []  # (mutants, start, end, before, after) with {0}, {1} for their numbers
        self._keys = {}
        self._match_brackets()
        self._find_scopes()
        self._find_comparisons()
        self._find_conditions()
        self._find_terms()
        self._find_constants()
        self._find_bounds()
        self._find_statements()

    # ---- The structure.

    def _word(self, i):
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def _match_brackets(self):
        self.partner = {}
        open_at = []
        for i, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            if token.text in "([{":
                open_at.append(i)
            elif token.text in ")]}":
                self.partner[i] = open_at.pop()
                self.partner[self.partner[i]] = i

    def _find_scopes(self):
        """What each token stands in: 'function', 'class', 'enum', 'namespace' or 'file'.

        A list in braces belongs to what it stands in.
        """
        self.scope = []
        self.brace = {}  # for each '{' its kind, or 'list'
        stack = ["file"]
        begin = 0  # of the present declaration
        for i, token in enumerate(self.tokens):
            if token.text == "}" and token.kind == "sign":
                stack.pop()
                begin = i + 1
            self.scope.append(stack[-1])
            if token.kind != "sign":
                continue
            if token.text == ";":
                begin = i + 1
            elif token.text == "{":
                words = [t.text for t in self.tokens[begin:i]]
                before = self._word(i - 1)
                if before in (")", "]", "const", "override", "final", "noexcept", "else", "do", "try",
                              "mutable") or (stack[-1] == "function" and before in ("{", "}", ";", ":")):
                    kind = "function"
                elif "(" in words or before in ("=", ",", "return"):
                    kind = "list"
                elif "enum" in words:
                    kind = "enum"
                elif "namespace" in words:
                    kind = "namespace"
                elif {"class", "struct", "union"} & set(words):
                    kind = "class"
                else:
                    kind = "list"
                self.brace[i] = kind
                stack.append(stack[-1] if kind == "list" else kind)
                begin = i + 1 if kind != "list" else begin

    def _line(self, i):
        return bisect.bisect_right(self._line_starts, self.tokens[i].start)

    def _is_spaced(self, i):
        token = self.tokens[i]
        return (self.text[token.start - 1:token.start].isspace() and
                self.text[token.end:token.end + 1].isspace())

    def _add(self, at, changes, first, last, before, after):
        """One mutant for each change in words. The edit replaces or surrounds tokens."""
        line = self._line(at)
        text = self.text[self._line_starts[line - 1]:].split("\n", 1)[0].strip()
        added = []
        for change in changes:
            key = "%s: %s: %s" % (self.path, text, change)
            count = self._keys[key] = self._keys.get(key, 0) + 1
            added.append(Mutant(self.path, line, key + (" (%d)" % count if count > 1 else "")))
        self.mutants += added
        self._edits.append((added, self.tokens[first].start, self.tokens[last].end, before, after))

    def _replace(self, at, changes, first, last, text):
        self._add(at, changes, first, last, text, None)

    def _wrap(self, at, change, first, last, before, after):
        self._add(at, [change], first, last, before, after)

    # ---- The patterns.

    def _find_comparisons(self):
        for i, token in enumerate(self.tokens):
            if token.kind == "sign" and token.text in COMPARISONS and self._is_spaced(i) and \
                    self.scope[i] == "function":
                name, opening, closing, other = COMPARISONS[token.text]
                self._replace(i, ["`%s` becomes `%s`" % (token.text, other)], i, i,
                              "%s ::mutants::%s{{{0}}} %s" % (opening, name, closing))

    def _find_conditions(self):
        negated = ("::mutants::Is({0}) != static_cast<bool>(", ")")
        for i, token in enumerate(self.tokens):
            if token.kind != "word" or token.text not in ("if", "while", "for") or \
                    self.scope[i] != "function" or self._word(i + 1) != "(":
                continue
            first, last = i + 2, self.partner[i + 1] - 1
            semicolons = [j for j in self._level(first, last) if self.tokens[j].text == ";"]
            if token.text == "for":
                if len(semicolons) != 2:
                    continue
                first, last = semicolons[0] + 1, semicolons[1] - 1
            elif semicolons:
                first = semicolons[-1] + 1
            if first > last or self._is_declaration(first) or any(
                    self.tokens[j].text in ASSIGNMENTS for j in self._level(first, last)):
                continue
            self._wrap(i, "the condition of `%s` is negated" % token.text, first, last, *negated)
        for i, token in enumerate(self.tokens):
            if token.text == "?" and token.kind == "sign" and self.scope[i] == "function":
                first = self._operand_begin(i, {"&&", "||"})
                self._wrap(i, "the condition of `?` is negated", first, i - 1,
                           "(" + negated[0], negated[1] + ")")

    def _find_terms(self):
        """A term of a chain of `&&` counts as true, of `||` as false."""
        found = set()
        for i, token in enumerate(self.tokens):
            if token.text not in ("&&", "||") or not self._is_spaced(i) or \
                    self.scope[i] != "function":
                continue
            inner = {"&&"} if token.text == "||" else set()
            ends = [(self._operand_begin(i, inner), i - 1), (i + 1, self._operand_end(i, inner))]
            for first, last in ends:
                if (first, last) in found:
                    continue
                found.add((first, last))
                term = self._words(first, last)
                if token.text == "&&":
                    self._wrap(first, "`%s` counts as true" % term, first, last,
                               "(::mutants::Is({0}) || (", "))")
                else:
                    self._wrap(first, "`%s` counts as false" % term, first, last,
                               "(!::mutants::Is({0}) && (", "))")

    def _find_constants(self):
        for i, token in enumerate(self.tokens):
            if self.scope[i] not in ("function", "namespace") or self._word(i - 1) == "case":
                continue
            if self.scope[i] == "namespace" and not self._is_in_constant(i):
                continue
            if token.text in ("true", "false") and token.kind == "word":
                other = "false" if token.text == "true" else "true"
                self._wrap(i, "`%s` becomes `%s`" % (token.text, other), i, i,
                           "(::mutants::Is({0}) != ", ")")
            match = re.fullmatch(r"(0x[0-9a-fA-F']+|\d[\d']*)([uUlL]*)", token.text)
            if token.kind != "number" or not match or self._is_template_argument(i):
                continue
            value = int(match[1].replace("'", ""), 16 if match[1].startswith("0x") else 10)
            others = [value + 1] + ([value - 1] if value > 0 else [])
            text = "".join("::mutants::Is({%d}) ? %d%s : " % (k, other, match[2])
                           for k, other in enumerate(others))
            self._replace(i, ["`%s` becomes `%d`" % (token.text, other) for other in others], i, i,
                          "(%s%s)" % (text, token.text))

    def _find_bounds(self):
        for i, token in enumerate(self.tokens):
            if token.text not in ("min", "max") or self._word(i - 1) != "::" or \
                    self._word(i - 2) != "std" or self.scope[i] != "function":
                continue
            call = i + 1
            while self._word(call) not in ("(", ";", ""):
                call += 1
            if self._word(call) != "(":
                continue
            other = "max" if token.text == "min" else "min"
            arguments = self.text[token.end:self.tokens[call].end].replace("{", "{{")
            self._replace(i, ["`%s` becomes `%s`" % (token.text, other)], i - 2, call,
                          "::mutants::%s%s{0}, " % (token.text.capitalize(), arguments))

    def _find_statements(self):
        for i, token in enumerate(self.tokens):
            if self.scope[i] != "function" or not self._begins_statement(i) or (
                    token.kind == "sign" and token.text in ("{", "[")):
                continue
            end = i
            while end < len(self.tokens) and self.tokens[end].text != ";":
                if self.tokens[end].text in ("(", "[", "{"):
                    end = self.partner[end]
                elif self.tokens[end].text in (")", "]", "}"):
                    break
                end += 1
            if self._word(end) != ";" or end == i:
                continue
            if token.text == "return" and end > i + 1:
                if self._word(i - 1) != ")" or self._word(end + 1) == "else":
                    continue  # the function would end without a value
            elif token.text in ("return", "break", "continue"):
                pass
            elif token.text in NO_EXPRESSION or self._is_declaration(i):
                continue
            self._wrap(i, "`%s` is dropped" % self._words(i, end), i, end,
                       "{{ if (!::mutants::Is({0})) ", " }}")

    # ---- How they are recognised.

    def _words(self, first, last):
        words = " ".join(self.text[self.tokens[first].start:self.tokens[last].end].split())
        return words if len(words) <= 60 else words[:57] + "..."

    def _level(self, first, last):
        """The tokens that stand in no bracket between the two."""
        i = first
        while i <= last:
            yield i
            i = self.partner[i] + 1 if self.tokens[i].text in ("(", "[", "{") and \
                self.tokens[i].kind == "sign" else i + 1

    def _is_boundary(self, i, inner):
        token = self.tokens[i]
        if token.kind == "word":
            return token.text == "return"
        return token.kind == "sign" and (
            token.text in ("(", "[", "{", ")", "]", "}", ",", ";", "?", ":") or
            token.text in ASSIGNMENTS or
            (token.text in ("&&", "||") and self._is_spaced(i) and token.text not in inner))

    def _operand_begin(self, i, inner):
        i -= 1
        while True:
            if self._ends_block(i):
                return i + 1
            if self.tokens[i].text in (")", "]", "}") and self.tokens[i].kind == "sign":
                i = self.partner[i]
            elif self._is_boundary(i, inner):
                return i + 1
            i -= 1

    def _operand_end(self, i, inner):
        i += 1
        while True:
            if self.tokens[i].text in ("(", "[", "{") and self.tokens[i].kind == "sign":
                i = self.partner[i]
            elif self._is_boundary(i, inner):
                return i - 1
            i += 1

    def _ends_block(self, i):
        return self.tokens[i].text == "}" and self.brace.get(self.partner.get(i)) == "function"

    def _is_template_argument(self, i):
        token = self.tokens[i]
        return (self.text[token.start - 1] == "<" or self.text[token.end] == ">" or
                self._word(i - 1) in ("alignas", "sizeof"))

    def _is_in_constant(self, i):
        while i >= 0 and self.tokens[i].text not in (";", "}"):
            if self.tokens[i].text == "constexpr":
                return True
            i -= 1
        return False

    def _begins_statement(self, i):
        before = self.tokens[i - 1]
        if before.kind == "word":
            return before.text in ("else", "do")
        if before.text == "{":
            return self.brace[i - 1] == "function"
        if before.text == "}":
            return self.brace[self.partner[i - 1]] == "function"
        if before.text == ";":
            return not self._is_in_parentheses(i)
        if before.text == ")":
            opening = self.partner[i - 1]
            return self._word(opening - 1) in ("if", "while", "for", "switch") or (
                self._word(opening - 1) == "constexpr" and self._word(opening - 2) == "if")
        if before.text == ":":
            j = i - 2
            while j >= 0 and self.tokens[j].text not in (";", "{", "}", "case", "default", "?"):
                j -= 1
            return self._word(j) in ("case", "default")
        return False

    def _is_in_parentheses(self, i):
        i -= 1
        while i >= 0:
            if self.tokens[i].text in (")", "]", "}") and self.tokens[i].kind == "sign":
                i = self.partner[i]
            elif self.tokens[i].text in ("(", "[", "{") and self.tokens[i].kind == "sign":
                return self.tokens[i].text != "{"
            i -= 1
        return False

    def _is_declaration(self, i):
        """A type and then a name."""
        if self._word(i) in NO_EXPRESSION | TYPE_PARTS:
            return self._word(i) not in ("delete", "throw", "return", "break", "continue")
        if self.tokens[i].kind != "word":
            return False
        i += 1
        while True:
            if self._word(i) == "::" and self.tokens[i + 1].kind == "word":
                i += 2
            elif self._word(i) == "<" and not self._is_spaced(i):
                depth = 0
                while True:
                    depth += {"<": 1, ">": -1}.get(self._word(i), 0)
                    i += 1
                    if depth == 0:
                        break
            else:
                break
        return self.tokens[i].kind == "word" or (
            self._word(i) in ("*", "&", "&&") and not self._is_spaced(i))

    # ---- The source with all of them.

    def weave(self, runtime, left_out=()):
        """The source in which Is(number) decides, with the same lines."""
        begins = {}
        ends = {}
        replaced = []
        for mutants, start, end, before, after in self._edits:
            numbers = [mutant.number if mutant.key not in left_out else 0 for mutant in mutants]
            if not any(numbers):
                continue
            if after is None:
                replaced.append((start, end, before.format(*numbers)))
            else:
                begins.setdefault(start, []).append((end, before.format(*numbers)))
                ends.setdefault(end, []).append((start, after.format(*numbers)))
        replacement = {start: (end, text) for start, end, text in replaced}
        out = []
        at = 0
        for place in sorted(set(begins) | set(ends) | set(replacement)):
            if place < at:
                raise ValueError("%s: edits that overlap at %d" % (self.path, place))
            out.append(self.text[at:place])
            at = place
            # What ends here ends from the inside out, and what begins here from the outside in.
            out += [text for _, text in sorted(ends.get(place, ()), reverse=True)]
            out += [text for _, text in sorted(begins.get(place, ()), reverse=True)]
            if place in replacement:
                at, text = replacement[place]
                out.append(text + "\n" * self.text.count("\n", place, at))
        out.append(self.text[at:])
        # A constant with mutants has its value at run time.
        woven = re.sub(r"(?<!if )\bconstexpr\b(?= [\w:]+ k\w+ =)", "const", "".join(out))
        return '%s#line 1 "%s"\n%s' % (runtime, self.path, woven)


def read_sources(root, paths):
    """The sources with their mutants.

    A mutant's number does not depend on other sources, so a change of one builds little anew.
    """
    sources = []
    for index, path in enumerate(paths):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            source = Source(path, file.read())
        for i, mutant in enumerate(source.mutants):
            mutant.number = MUTANTS_PER_SOURCE * index + i + 1
        if len(source.mutants) >= MUTANTS_PER_SOURCE:
            raise ValueError("%s has too many mutants" % path)
        sources.append(source)
    return sources
