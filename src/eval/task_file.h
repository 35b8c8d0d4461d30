// Tasks from JSON Lines files: multiple choice, last-word prediction and writing. docs/formats/tasks.md describes the
// format.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace layerboost {

/// A context and one continuation of it.
struct TaskPair {
  std::string context, continuation;
};

/// What a model is to write.
struct WritingTask {
  std::string prompt;
  std::vector<std::string> answers;  // any of them is right
  std::string pattern;            // a regular expression (ECMAScript): its first group, or all that it matches, is the
                                  // answer; empty: the text itself is
  std::vector<std::string> stop;  // the text ends before the first of these
  int max_tokens = 64;
};

/// One question: which of `pairs` is the likeliest. Last-word prediction has one pair, writing none.
struct TaskItem {
  std::vector<TaskPair> pairs = {};
  int gold = 0;  // index of the right pair
  WritingTask writing = {};
};

enum class TaskKind { multiple_choice, last_word, generate };

struct Task {
  std::string name;  // the file's stem
  TaskKind kind = TaskKind::multiple_choice;
  std::vector<TaskItem> items;
  std::string hash;  // "sha256:<64 hex digits>" of the file
};

/// Reads `path`, the first `limit` items of it (0: all). Throws Error naming file and line for anything that is not an
/// item, an item of another kind than the first, or no items at all.
Task read_task(const fs::path& path, int limit = 0);

/// Reads all of `paths`. Throws Error also when two files have the same stem.
std::vector<Task> read_tasks(const std::vector<std::string>& paths, int limit = 0);

}  // namespace layerboost
