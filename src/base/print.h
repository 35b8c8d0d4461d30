// Where a job's tables and results go as they come.
#pragma once

#include <functional>
#include <string_view>

namespace layerboost {

/// Called with whole lines, on the job's thread.
using Print = std::function<void(std::string_view)>;

}  // namespace layerboost
