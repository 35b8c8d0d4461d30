// The report: one self-contained HTML page about one run of `layerboost boost`.
#pragma once

#include "base/file.h"

namespace layerboost {

/// Reads the JSON files of `dir` (report_data.h says which) and writes dir/report.html, complete or not at all. The
/// page needs no network and no other file. Throws Error when `dir` is missing, wasn't written by boost, or holds files
/// that don't belong together.
void write_report(const fs::path& dir);

}  // namespace layerboost
