#include "base/cpu.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

Isa highest_isa() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  if (!v3)
    fail("this CPU lacks AVX2, FMA or BMI2; layerboost needs an x86-64-v3 CPU (Intel since 2013, AMD since 2015)");
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512cd");
  const bool extras = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  return v4 && extras ? Isa::avx512 : Isa::avx2;
}

/// The first number in a file of /sys, or `fallback`.
long first_number(const std::string& path, long fallback) {
  std::ifstream file(path);
  long number = fallback;
  return file >> number ? number : fallback;
}

/// CPUs' worth of time that the control group allows, rounded up; no limit: the largest int.
int control_group_limit() {
  constexpr int unlimited = std::numeric_limits<int>::max();
  long quota = -1, period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota) {  // "max 100000" when there is no limit
    v2 >> period;
  } else {
    quota = first_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", -1);
    period = first_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
  }
  if (quota <= 0 || period <= 0) return unlimited;
  return static_cast<int>(std::min<long>((quota + period - 1) / period, unlimited));
}

/// Distinct physical cores among the CPUs that this process may run on; 0 when the system doesn't say.
int allowed_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::pair<long, long>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string topology = fmt::format("/sys/devices/system/cpu/cpu{}/topology/", cpu);
    const long core = first_number(topology + "core_id", -1 - cpu);  // without topology each CPU counts
    cores.emplace(first_number(topology + "physical_package_id", 0), core);
  }
  return static_cast<int>(cores.size());
}

}  // namespace

std::string_view name_of(Isa isa) { return isa == Isa::avx2 ? "avx2" : "avx512"; }

Isa choose_isa(Isa highest, std::string_view asked) {
  if (asked.empty()) return highest;
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (asked != name_of(isa)) continue;
    if (isa > highest) fail("LAYERBOOST_ISA={}: this CPU has no more than {}", asked, name_of(highest));
    return isa;
  }
  fail("LAYERBOOST_ISA={}: unknown; allowed: avx2, avx512", asked);
}

Isa best_isa() {
  static const Isa chosen = [] {
    const char* const asked = std::getenv("LAYERBOOST_ISA");
    return choose_isa(highest_isa(), asked == nullptr ? "" : asked);
  }();
  return chosen;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown CPU";
}

int default_threads() { return std::max(1, std::min(allowed_cores(), control_group_limit())); }

int use_threads(int asked) {
  if (asked < 0 || asked > 1024) fail("`threads` {}: must be between 1 and 1024, or 0 for one per core", asked);
  const int threads = asked == 0 ? default_threads() : asked;
  omp_set_num_threads(threads);
  return threads;
}

}  // namespace layerboost
