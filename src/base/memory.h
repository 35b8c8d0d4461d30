// How much memory there is to take, and how much is taken.
#pragma once

#include <cstddef>
#include <filesystem>

namespace layerboost {

/// Bytes of a huge page on x86-64.
inline constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Bytes that this process can have without the system swapping: what it has left (MemAvailable), or what the
/// process's control group may still take, if less (version 2, a container's limit: memory.max less memory.current, of
/// which files that aren't used any more don't count).
/// 1 GiB where neither is known. The paths are for tests.
std::size_t free_memory(const std::filesystem::path& proc = "/proc",
                        const std::filesystem::path& control_group = "/sys/fs/cgroup");

/// Bytes of memory that this process has now.
std::size_t resident_memory();

}  // namespace layerboost
