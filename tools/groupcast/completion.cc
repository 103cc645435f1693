#include "tools/groupcast/completion.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tools/groupcast/help_format.h"

namespace groupcast::cli {
namespace {

struct Word {
  std::string text;
  std::string meaning;
};

// A command, by its words with a blank between them, and what may follow it.
struct Place {
  std::string command;  // empty: the program itself
  std::vector<Word> words;
};

void AddPlaces(const CLI::App& app, const std::string& command, std::vector<Place>* places) {
  const size_t index = places->size();
  places->push_back({command, {}});
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    (*places)[index].words.push_back({below->get_name(), below->get_description()});
    AddPlaces(*below, absl::StrCat(command, command.empty() ? "" : " ", below->get_name()), places);
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    (*places)[index].words.push_back(
        {absl::StrCat("--", OptionName(*option), option->get_option_text().empty() ? "" : "="),
         option->get_description()});
  }
}

std::vector<Place> PlacesOf(const CLI::App& app) {
  std::vector<Place> places;
  AddPlaces(app, "", &places);
  return places;
}

// The pattern of bash and zsh for all commands.
std::string CommandPattern(const std::vector<Place>& places) {
  return absl::StrJoin(
      places.begin() + 1, places.end(), " | ",
      [](std::string* out, const Place& place) { absl::StrAppend(out, "'", place.command, "'"); });
}

constexpr char kBash[] = R"(# bash completion for groupcast. Made by: groupcast completion bash

_groupcast_cli() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' words i next
  # bash takes the "=" of an option as a word of its own.
  if [[ $word == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    [[ $word != = ]] || word=''
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    next=${command:+$command }${COMP_WORDS[i]}
    case $next in
      $0) command=$next ;;
    esac
  done
  case $command in
$1  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  fi
}

complete -F _groupcast_cli groupcast
)";

constexpr char kZsh[] = R"(#compdef groupcast
# zsh completion for groupcast. Made by: groupcast completion zsh

local command='' next i
local -a commands options
for ((i = 2; i < CURRENT; i++)); do
  next=${command:+$command }${words[i]}
  case $next in
    $0) command=$next ;;
  esac
done
if [[ ${words[CURRENT]} == --*=* ]]; then
  compset -P '*='
  _files
  return
fi
case $command in
$1esac
(( $#commands )) && _describe -t commands command commands
_describe -o -t options option options -S ''
)";

// A word of zsh's _describe, in single quotes. A colon ends the word, unless it is escaped.
std::string ZshWord(const Word& word) {
  return absl::StrCat("'", absl::StrReplaceAll(word.text, {{":", "\\:"}}), ":",
                      absl::StrReplaceAll(word.meaning, {{"'", "'\\''"}}), "'");
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  const std::vector<Place> places = PlacesOf(app);
  std::string cases;
  for (const Place& place : places) {
    const std::string words =
        absl::StrJoin(place.words, " ",
                      [](std::string* out, const Word& word) { absl::StrAppend(out, word.text); });
    absl::StrAppend(&cases, "    '", place.command, "') words='", words, "' ;;\n");
  }
  return absl::StrReplaceAll(kBash, {{"$0", CommandPattern(places)}, {"$1", cases}});
}

std::string ZshCompletion(const CLI::App& app) {
  const std::vector<Place> places = PlacesOf(app);
  std::string cases;
  for (const Place& place : places) {
    std::string commands;
    std::string options;
    for (const Word& word : place.words) {
      std::string* const list = word.text[0] == '-' ? &options : &commands;
      absl::StrAppend(list, "\n      ", ZshWord(word));
    }
    absl::StrAppend(&cases, "  '", place.command, "')\n    commands=(", commands,
                    ")\n    options=(", options, ")\n    ;;\n");
  }
  return absl::StrReplaceAll(kZsh, {{"$0", CommandPattern(places)}, {"$1", cases}});
}

}  // namespace groupcast::cli
