#include "cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "layerboost/version.h"

namespace layerboost {
namespace {

/// The commands that --help lists, by name.
std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  std::vector<const CLI::App*> commands =
      app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); });
  std::ranges::sort(commands, {}, [](const CLI::App* command) { return command->get_name(); });
  return commands;
}

/// Text as man is to show it: backslashes and dashes as they are, and no line taken for a request.
std::string escaped(const std::string& text) {
  std::string result;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\')
      result += "\\e";
    else if (c == '-')
      result += "\\-";
    else
      result += c;
    line_begins = c == '\n';
  }
  return result;
}

/// "--plan FILE", or "MODEL" for what has no flag.
std::string written(const CLI::Option& option) {
  const std::string name = option.get_name(option.get_positional(), true), type = option.get_type_name();
  return type.empty() || option.get_positional() ? name : name + " " + type;
}

std::string paragraph(const CLI::Option& option) {
  std::string usual = option.get_default_str();
  if (!usual.empty() && !usual.starts_with('[')) usual = "[" + usual + "]";
  return fmt::format(".TP\n.B {}\n{} {}\n", escaped(written(option)), escaped(option.get_description()),
                     escaped(usual));
}

/// The footer's lines as they stand, for its examples.
std::string as_it_stands(const std::string& text) { return fmt::format(".PP\n.nf\n{}\n.fi\n", escaped(text)); }

/// "layerboost heal MODEL --plan FILE --output,-o DIR [FLAGS]": what is required stands without brackets.
std::string synopsis(const CLI::App& command) {
  std::string words = "layerboost " + command.get_name();
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_required()) words += " " + written(*option);
    if (!option->get_required() && option->get_positional()) words += " [" + written(*option) + "]";
  }
  return words + " [FLAGS]";
}

std::string section(const CLI::App& command) {
  std::string text = fmt::format(".SS {}\n{}\n", escaped(synopsis(command)), escaped(command.get_description()));
  for (const CLI::Option* option : command.get_options())
    if (!option->get_group().empty() && option != command.get_help_ptr()) text += paragraph(*option);
  return text + as_it_stands(command.get_footer());
}

/// The flags of a command, each name of each.
std::string flags_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) words += (words.empty() ? "--" : " --") + name;
    for (const std::string& name : option->get_snames()) words += (words.empty() ? "-" : " -") + name;
  }
  return words;
}

}  // namespace

std::string manual_page(const CLI::App& app) {
  const std::string about = app.get_description();
  std::string short_form = about.substr(0, about.find(':'));
  short_form[0] = static_cast<char>(std::tolower(short_form[0]));
  std::string page = fmt::format(
      ".TH LAYERBOOST 1 \"\" \"layerboost {}\"\n.SH NAME\nlayerboost \\- {}\n.SH SYNOPSIS\n"
      ".B layerboost\nCOMMAND [FLAGS]\n.SH DESCRIPTION\n{}\n.SH COMMANDS\n",
      LAYERBOOST_VERSION, escaped(short_form), escaped(about));
  for (const CLI::App* command : commands_of(app)) page += section(*command);
  return page;
}

std::string bash_completion(const CLI::App& app) {
  std::string names, cases;
  for (const CLI::App* command : commands_of(app)) {
    names += command->get_name() + " ";
    cases += fmt::format("    {}) words='{}' ;;\n", command->get_name(), flags_of(*command));
  }
  return fmt::format(R"(# bash completion of layerboost: commands, their flags, and files.
_layerboost() {{
  local words=
  case ${{COMP_WORDS[1]}} in
{}  esac
  [ "$COMP_CWORD" -gt 1 ] || words='{}{}'
  [[ $COMP_CWORD -eq 1 || ${{COMP_WORDS[COMP_CWORD]}} == -* ]] || words=
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F _layerboost layerboost
)",
                     cases, names, flags_of(app));
}

}  // namespace layerboost
