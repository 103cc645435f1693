# Makes Doxygen's comments of a header's own, which are plain: // above a declaration, and behind one. Functions without
# a blank line between them share the comment of the first. Code in a comment is indented by three blanks; Doxygen's
# Markdown needs more.

# Whether a line begins the declaration of a function.
function declares_function(line) {
  return line ~ /^ *[A-Za-z_].* [A-Za-z_]+\(/ && line !~ /^ *(using|friend|template|return|if) /
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
  if (comment != "") {
    shared = declares_function($0) ? comment : ""
  } else if (declares_function($0)) {
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
