// The machine that the program runs on.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// The levels that kernels are compiled for, lowest first. avx2 is x86-64-v3; avx512 is x86-64-v4 with VNNI and BF16.
enum class Isa { avx2, avx512 };

/// "avx2" or "avx512".
std::string_view name_of(Isa isa);

/// The level to run kernels at: the machine's highest, or the lower one that the environment variable LAYERBOOST_ISA
/// names. Decided at the first call. Throws Error when the machine is below avx2, or the variable asks for an unknown
/// level or one the CPU lacks.
Isa best_isa();

/// Decides as best_isa() does, for a machine whose highest level is `highest` and a variable of value `asked` (empty:
/// not set).
Isa choose_isa(Isa highest, std::string_view asked);

/// "AMD EPYC", as the system names it; "unknown CPU" when it doesn't.
std::string cpu_name();

/// Threads to use unless the user says otherwise: the physical cores among the CPUs that this process may run on
/// (affinity), at most the CPU time that its control group allows; at least 1.
int default_threads();

/// Makes OpenMP use `asked` threads, or default_threads() when 0, and returns that number. Throws Error beyond [0,
/// 1024].
int use_threads(int asked);

}  // namespace layerboost
