#include "eval/task_file.h"

#include <algorithm>
#include <regex>

#include "base/json.h"
#include "eval/text_data.h"

namespace layerboost {
namespace {

void check_continuation(const std::string& continuation, const std::string& where) {
  if (continuation.find_first_not_of(' ') == std::string::npos) fail("{}: an empty choice or continuation", where);
}

int read_gold(const Json& line, std::size_t choices, const std::string& where) {
  const int gold = get<int>(line, "gold", where);
  if (gold < 0 || static_cast<std::size_t>(gold) >= choices)
    fail("{}: \"gold\" is {}; it must be an index from 0 to {}", where, gold, choices - 1);
  return gold;
}

TaskItem read_choices(const Json& line, const std::string& where) {
  TaskItem item;
  const auto context = get<std::string>(line, "context", where);
  for (auto& choice : get<std::vector<std::string>>(line, "choices", where)) item.pairs.push_back({context, choice});
  return item;
}

TaskItem read_contexts(const Json& line, const std::string& where) {
  TaskItem item;
  const auto continuation = get<std::string>(line, "continuation", where);
  for (auto& context : get<std::vector<std::string>>(line, "contexts", where))
    item.pairs.push_back({context, continuation});
  return item;
}

/// A string, or a list of them.
std::vector<std::string> read_strings(const Json& line, const char* key, const std::string& where) {
  if (line.contains(key) && line[key].is_string()) return {get<std::string>(line, key, where)};
  return get<std::vector<std::string>>(line, key, where);
}

TaskItem read_writing(const Json& line, const std::string& where) {
  constexpr int most_tokens = 4096;
  TaskItem item;
  WritingTask& task = item.writing;
  task.prompt = get<std::string>(line, "prompt", where);
  task.answers = read_strings(line, "answer", where);
  if (task.answers.empty()) fail("{}: no answer", where);
  task.pattern = get_or<std::string>(line, "pattern", "", where);
  try {
    (void)std::regex(task.pattern);
  } catch (const std::regex_error&) {
    fail("{}: \"pattern\" is no regular expression", where);
  }
  if (line.contains("stop")) task.stop = read_strings(line, "stop", where);
  std::erase(task.stop, "");
  task.max_tokens = get_or<int>(line, "max_tokens", task.max_tokens, where);
  if (task.max_tokens < 1 || task.max_tokens > most_tokens)
    fail("{}: \"max_tokens\" is {}; it must be from 1 to {}", where, task.max_tokens, most_tokens);
  return item;
}

TaskItem read_item(const Json& line, TaskKind kind, const std::string& where) {
  if (kind == TaskKind::generate) return read_writing(line, where);
  TaskItem item;
  if (kind == TaskKind::last_word)
    item.pairs = {{get<std::string>(line, "context", where), get<std::string>(line, "continuation", where)}};
  else
    item = line.contains("contexts") ? read_contexts(line, where) : read_choices(line, where);
  for (const TaskPair& pair : item.pairs) check_continuation(pair.continuation, where);
  if (kind == TaskKind::multiple_choice) {
    if (item.pairs.size() < 2) fail("{}: at least two choices are needed", where);
    item.gold = read_gold(line, item.pairs.size(), where);
  }
  return item;
}

TaskKind kind_of(const Json& line, const std::string& where) {
  if (!line.is_object()) fail("{}: expected a JSON object", where);
  if (line.contains("choices") || line.contains("contexts")) return TaskKind::multiple_choice;
  if (line.contains("continuation")) return TaskKind::last_word;
  if (line.contains("prompt")) return TaskKind::generate;
  fail(
      "{}: an item has \"choices\", or \"contexts\" and \"continuation\", or \"context\" and \"continuation\", or "
      "\"prompt\" and \"answer\"",
      where);
}

}  // namespace

Task read_task(const fs::path& path, int limit) {
  const std::string content = read_text_file(path);
  Task task;
  task.name = path.stem().string();
  task.hash = content_hash(content);
  for (const FileLine& text : split_lines(content, path)) {
    if (limit > 0 && task.items.size() == static_cast<std::size_t>(limit)) break;
    const Json line = parse_json(text.text, text.where);
    const TaskKind kind = kind_of(line, text.where);
    if (task.items.empty()) task.kind = kind;
    if (kind != task.kind) fail("{}: items of several kinds in one file", text.where);
    task.items.push_back(read_item(line, kind, text.where));
  }
  if (task.items.empty()) fail("{}: no items in it", path.string());
  return task;
}

std::vector<Task> read_tasks(const std::vector<std::string>& paths, int limit) {
  std::vector<Task> tasks;
  for (const std::string& path : paths) {
    tasks.push_back(read_task(path, limit));
    const auto same = [&](const Task& task) { return task.name == tasks.back().name; };
    if (std::any_of(tasks.begin(), tasks.end() - 1, same))
      fail("{}: there is already a task named \"{}\"", path, tasks.back().name);
  }
  return tasks;
}

}  // namespace layerboost
