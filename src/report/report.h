// The report: one self-contained HTML page about one run of `layerboost boost`, or about a ladder. It is made of the
// JSON files that these commands leave in their directory (report_data.h) and of the page's parts in web/, whose
// scripts draw it in the browser. No model is opened and nothing is measured here, so that a page can be written again
// from its directory alone.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/asset.h"
#include "base/file.h"
#include "base/json.h"

namespace layerboost {

/// Reads the JSON files of `dir` (report_data.h says which), and the ladder of the directory `ladder` if it isn't
/// empty, and writes dir/report.html, complete or not at all. The page needs no network and no other file. Throws Error
/// when `dir` is missing, was written by neither boost nor ladder, or there are files that don't belong together.
void write_report(const fs::path& dir, const fs::path& ladder = {});

/// The files of web/ and Chart.js, built into the program.
std::span<const Asset> embedded_assets();

/// The whole page, needing nothing else: web/report.html with each {{FILE}} replaced by that embedded file, {{data}} by
/// `data` as JSON, {{mixer_kinds}} by what the kinds of mixer say of themselves and {{title}} by `title`.
std::string make_page(const Json& data, std::string_view title);

/// `json` on one line such that nothing in it can end or change the <script> element around it: "<", U+2028 and U+2029
/// are written as \u escapes. Bytes that aren't UTF-8 become U+FFFD.
std::string json_for_script(const Json& json);

/// `text` with & < > " ' as entities.
std::string escape_html(std::string_view text);

}  // namespace layerboost
