// What a boost came to, in four lines: for the end of its output.
#pragma once

#include <string>

#include "artifact/opened_model.h"
#include "base/file.h"

namespace layerboost {

/// Memory, speed, text and retrieval, each before -> after, from the results in `directory`, and the commands that go
/// on from there. What wasn't measured is left out.
std::string boost_summary(const fs::path& directory, const OpenedModel& unchanged, const OpenedModel& planned);

}  // namespace layerboost
