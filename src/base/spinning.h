// How long OpenMP's threads wait for each other at full speed.
#pragma once

namespace layerboost {

/// Starts the running program again with GOMP_SPINCOUNT=2000, unless that or OMP_WAIT_POLICY is set: GNU's OpenMP reads
/// them before main() begins. Its threads then wait some 30 microseconds for each other, as long as they do within a
/// step, and sleep if it takes longer; by itself it lets them spin for milliseconds, which makes everything several
/// times slower once anything else runs on the same cores, and no faster when not. Call it first in main(). argv: as
/// main() got it. Returns where nothing is to be done, or where the program can't be started again (no /proc).
void limit_spinning(char** argv);

}  // namespace layerboost
