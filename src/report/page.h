// The page as text: the template web/report.html with everything it names put into it.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace layerboost {

/// The whole page, needing nothing else: report.html with each {{FILE}} replaced by that embedded file, {{data}} by
/// `data` as JSON, {{mixer_kinds}} by what the kinds of mixer say of themselves and {{title}} by `title`.
std::string make_page(const Json& data, std::string_view title);

/// `json` on one line such that nothing in it can end or change the <script> element around it: "<", U+2028 and U+2029
/// are written as \u escapes. Bytes that aren't UTF-8 become U+FFFD.
std::string json_for_script(const Json& json);

/// `text` with & < > " ' as entities.
std::string escape_html(std::string_view text);

}  // namespace layerboost
