# Makes Doxygen's comments of a header's own, which are plain: // above a declaration, and behind one. Overloads without
# a blank line between them share the comment of the first. Code in a comment is indented by three blanks; Doxygen's
# Markdown needs more.

# The name of the function that a line declares, or "".
function function_name(line) {
  if (!match(line, /[A-Za-z_]+\(/)) return ""
  return substr(line, RSTART, RLENGTH)
}

/^ *\/\/( |$)/ {
  match($0, /^ */)
  text = substr($0, RLENGTH + 3)
  if (text ~ /^   /) text = "    " text
  comment = comment substr($0, 1, RLENGTH) "///" text "\n"
  next
}

/^ *$/ {
  printf "%s", comment
  comment = shared = ""
  print
  next
}

# How values compare says nothing to a reader.
/friend bool operator==/ { next }

{
  name = function_name($0)
  if (comment != "") {
    shared = comment
    shared_name = name
  } else if (name != "" && name == shared_name) {
    comment = shared
  }
  printf "%s", comment
  comment = ""
  line = $0
  if (match(line, /[;,] +\/\/ /)) {
    line = substr(line, 1, RSTART) "  ///< " substr(line, RSTART + RLENGTH)
  }
  print line
}
