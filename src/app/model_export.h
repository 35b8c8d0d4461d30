// What `export` does: it finds a model with a plan, or a level of its ladder, with all that was learnt for it, and
// writes that as a Hugging Face directory. How such a directory is made is export/export.h.
#pragma once

#include <optional>
#include <string>

namespace layerboost {

struct ExportOptions {
  std::string model;         // a directory that heal or boost wrote, or any model, which then needs a plan or a level
  std::string plan;          // a file; empty: the directory's own
  std::string output;        // the directory to write
  std::optional<int> level;  // of the model's ladder, in place of a plan
};

/// Writes the directory. What can't be read or written is noticed before the model is opened. Throws Error.
void export_planned_model(const ExportOptions& options);

}  // namespace layerboost
