#include "base/data_directory.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>

namespace layerboost {
namespace {

/// The file that this function was loaded from.
fs::path this_module() {
  Dl_info info{};
  link_map* module = nullptr;
  const auto* const here = reinterpret_cast<const void*>(&this_module);
  if (::dladdr1(here, &info, reinterpret_cast<void**>(&module), RTLD_DL_LINKMAP) == 0 || module == nullptr ||
      module->l_name[0] == '\0')  // the program itself has no name there
    return "/proc/self/exe";
  return module->l_name;
}

}  // namespace

fs::path data_directory() {
  if (const char* const set = std::getenv("LAYERBOOST_DATA"); set != nullptr && *set != '\0') return set;
  constexpr int levels = 4;
  const fs::path share = "share/layerboost";
  std::error_code unknown;
  fs::path folder = fs::canonical(this_module(), unknown).parent_path();
  fs::path usual = folder.parent_path() / share;
  for (int level = 0; level < levels; ++level, folder = folder.parent_path())
    if (fs::is_directory(folder / share, unknown)) return folder / share;
  return usual;
}

}  // namespace layerboost
